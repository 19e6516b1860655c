import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { anonymous, bearer, type Store, type Viewer } from '../../src/db/index.ts';
import { seedRun, syntheticModel } from '../harness/synthetic-run.ts';
import { seedToken } from '../harness/teams.ts';
import { temporaryStore } from '../harness/temporary-store.ts';

/** The same store as somebody has it. */
const seenBy = (store: Store, viewer: Viewer): Store => ({ ...store, ...store.as(viewer) });

describe('what a token makes', () => {
  it('is its team’s, and its own alone when it says so', () => {
    const store = temporaryStore();
    const [anna, bert] = [seedToken(store), seedToken(store)].map(({ row }) => store.as(bearer(row)));
    const eve = store.as(bearer(seedToken(store, 'green').row));
    const shared = anna!.models.add({ ...syntheticModel, name: 'shared' });
    const own = anna!.models.add({ ...syntheticModel, name: 'own', visibility: 'PRIVATE' });
    expect([shared.visibility, own.visibility]).toEqual(['TEAM', 'PRIVATE']);
    expect([anna, bert, eve].map((each) => each!.models.list().map(({ name }) => name))).toEqual([
      ['own', 'shared'],
      ['shared'],
      [],
    ]);
    expect(store.models.add({ ...syntheticModel, name: 'mine' })).toMatchObject({
      visibility: 'PRIVATE',
      teamId: null,
    });
  });

  it('cannot take a name of what it does not see, and learns nothing else of it', () => {
    const store = temporaryStore();
    store.models.add({ ...syntheticModel, path: '/secret/place' });
    const eve = store.as(bearer(seedToken(store).row));
    for (const update of [false, true])
      expect(() => eve.models.add({ ...syntheticModel, digest: 'other' }, { update })).toThrow(
        'the name "tiny-base" of a base model is taken here; choose another',
      );
    expect(store.models.get('tiny-base').path).toBe('/secret/place');
  });

  it('changes nothing that is shared with it', () => {
    const store = temporaryStore();
    const model = store.models.add(syntheticModel);
    store.administration.share('model', model, { visibility: 'PUBLIC' });
    const eve = store.as(bearer(seedToken(store).row));
    const add = () => eve.models.add({ ...syntheticModel, digest: 'other' }, { update: true });
    expect(add).toThrow(expect.objectContaining({ code: 'FORBIDDEN' }));
    expect(() => eve.sharing.set('model', eve.models.get('tiny-base'), { visibility: 'PRIVATE' })).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }),
    );
    expect(store.models.get('tiny-base')).toMatchObject({
      digest: syntheticModel.digest,
      visibility: 'PUBLIC',
    });
  });
});

describe('sharing', () => {
  it('keeps a thing where somebody is left to see it', () => {
    const store = temporaryStore();
    const [anna, bert] = [seedToken(store), seedToken(store)].map(({ row }) => store.as(bearer(row)));
    const team = store.teams.get('red');
    const set = (as: typeof anna, given: Parameters<Store['sharing']['set']>[2]) => () =>
      as!.sharing.set('model', as!.models.get('tiny-base'), given);
    anna!.models.add(syntheticModel);
    const forbidden = expect.objectContaining({ code: 'FORBIDDEN' }) as Error;
    expect(set(bert, { visibility: 'PRIVATE' })).toThrow(forbidden);
    expect(set(bert, { visibility: 'PUBLIC', team: null })).toThrow(forbidden);
    set(bert, { visibility: 'UNLISTED' })();
    expect(store.as(anonymous).models.find('tiny-base')?.name).toBe('tiny-base');
    expect([store.as(anonymous), bert!].map((each) => each.models.list().length)).toEqual([0, 1]);
    set(anna, { visibility: 'PRIVATE' })();
    expect(bert!.models.find('tiny-base')).toBeUndefined();
    const model = store.models.get('tiny-base');
    expect(() => store.administration.share('model', model, { visibility: 'TEAM', team: null })).toThrow(
      'TEAM needs a team',
    );
    store.administration.share('model', model, { visibility: 'PRIVATE', team: null });
    expect(anna!.models.find('tiny-base')).toBeUndefined();
    store.administration.share('model', store.models.get('tiny-base'), { visibility: 'TEAM', team });
    expect(bert!.models.find('tiny-base')).toMatchObject({ teamId: team.id, tokenId: null });
  });

  it('goes with the organism for runs and everything below', () => {
    const store = temporaryStore();
    const run = seedRun(store);
    const vector = `${run.key}.L1.P0`;
    const stranger = seenBy(store, anonymous);
    expect(stranger.vectors.findByKey(`${vector}/diff`)).toBeUndefined();
    store.administration.share('organism', store.organisms.getById(run.organismId), {
      visibility: 'UNLISTED',
    });
    expect(stranger.vectors.findByKey(`${vector}/diff`)?.byteLength).toBe(64);
    expect(stranger.diffVectors.all.count(null, {})).toBe(0);
  });
});

describe('the audit log', () => {
  /** The file, without what guards it. */
  function tampered(change: string): ReturnType<Store['auditLog']['verify']> {
    const store = temporaryStore();
    for (const name of ['a', 'b', 'c']) store.administration.addTeam(name);
    const { head } = store.auditLog.verify();
    const sqlite = new BetterSqlite3(store.file);
    expect(() => sqlite.exec(change)).toThrow('the audit log is only appended to');
    for (const trigger of ['audit_appended', 'audit_unchanged', 'audit_kept'])
      sqlite.exec(`drop trigger ${trigger}`);
    sqlite.exec(change);
    sqlite.close();
    return store.auditLog.verify(head);
  }

  it('shows what was changed, put in or cut off by other means', () => {
    expect(tampered("update audit set subject = 'x' where id = 2")).toMatchObject({ brokenAt: 2 });
    expect(tampered('update audit set details = \'{"x":1}\' where id = 3')).toMatchObject({ brokenAt: 3 });
    expect(tampered('delete from audit where id = 1')).toMatchObject({ brokenAt: 2 });
    expect(tampered('delete from audit where id = 3')).toMatchObject({
      brokenAt: null,
      rows: 2,
      hasExpected: false,
    });
    expect(
      tampered(
        "insert into audit select 9, created_at, viewer, null, null, action, 'x', null, details, hash from audit where id = 3",
      ),
    ).toMatchObject({ brokenAt: 9 });
  });

  it('stands or falls with what it tells', () => {
    const store = temporaryStore();
    expect(() =>
      store.transaction(() => {
        store.audit.record({ action: 'x' });
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(store.auditLog.verify()).toMatchObject({ rows: 0, brokenAt: null, hasExpected: true });
  });
});

it('a token’s rights cannot be changed, nor its end undone, in the file', () => {
  const store = temporaryStore();
  const { row } = seedToken(store);
  store.administration.revokeToken(row.id);
  const sqlite = new BetterSqlite3(store.file);
  for (const change of [
    'delete from access_tokens',
    `update access_tokens set scopes = '["admin"]'`,
    "update access_tokens set expires_at = '2999'",
    'update access_tokens set revoked_at = null',
  ])
    expect(() => sqlite.exec(change), change).toThrow(/token/);
  sqlite.close();
});
