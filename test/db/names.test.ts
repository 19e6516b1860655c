import { describe, expect, it } from 'vitest';
import { ConflictError, NotFoundError, type NewOrganism } from '../../src/db/index.ts';
import { seedOrganism, seedRun, syntheticModel } from '../harness/synthetic-run.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

describe('names', () => {
  it('gives the same row for the same content', () => {
    const store = temporaryStore();
    expect(seedOrganism(store)).toEqual(seedOrganism(store));
    expect(store.organisms.list()).toHaveLength(1);
    expect(store.models.get('tiny-base')).toMatchObject(syntheticModel);
  });

  it('refuses other content, naming both values, and changes nothing', () => {
    const store = temporaryStore();
    const model = store.models.add(syntheticModel);
    const add = () => store.models.add({ ...syntheticModel, digest: 'other' });
    expect(add).toThrow(ConflictError);
    expect(add).toThrow(`stored "${syntheticModel.digest}", given "other"`);
    expect(store.models.get('tiny-base')).toEqual(model);
  });

  it('updates when asked; runs keep what they measured', () => {
    const store = temporaryStore();
    const run = seedRun(store);
    const organism = store.organisms.get('tiny-cake');
    const updated = store.organisms.add({ ...organism, digest: 'retrained' }, { update: true });
    expect(updated).toMatchObject({ id: run.organismId, digest: 'retrained', createdAt: organism.createdAt });
    expect(store.runs.get(run.key)).toEqual(run);
  });

  it('treats null and absent as one', () => {
    const store = temporaryStore();
    const organism: NewOrganism = { ...seedOrganism(store).organism };
    delete organism.trainingCorpus;
    expect(store.organisms.add(organism).trainingCorpus).toBeNull();
  });

  it('finds nothing, or throws, for a name that is not there', () => {
    const store = temporaryStore();
    expect(store.corpora.find('none')).toBeUndefined();
    expect(() => store.corpora.get('none')).toThrow(new NotFoundError('corpus', 'none'));
    expect(() => store.corpora.get('none')).toThrow('no corpus "none" in this store');
  });
});
