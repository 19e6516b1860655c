import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { anonymous, bearer, owner, owns, type Store, type Viewer, visibilities } from '../../src/db/index.ts';
import type { CodedError } from '../../src/lib/coded-error.ts';
import { random } from '../harness/random.ts';
import { seedOrganism, seedRun, syntheticModel } from '../harness/synthetic-run.ts';
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
    const other = temporaryStore();
    const { organism } = seedOrganism(other, 'cake');
    const shy = other.as(bearer(seedToken(other).row));
    expect(() => shy.organisms.add(organism)).toThrow('the name "cake" of an organism is taken here');
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

  it('refuses to keep to one token what no token of its team registered, or can still use', () => {
    const store = temporaryStore();
    const { row } = seedToken(store);
    const green = store.administration.addTeam('green');
    store.as(bearer(row)).models.add(syntheticModel);
    const share = (given: Parameters<Store['sharing']['set']>[2]) =>
      store.administration.share('model', store.models.get('tiny-base'), given);
    const refused = expect.objectContaining({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('no such token any more; TEAM shows it to that team alone') as string,
    }) as Error;
    expect(() => share({ visibility: 'PRIVATE', team: green })).toThrow(refused);
    expect(store.as(bearer(row)).models.get('tiny-base').visibility).toBe('TEAM');
    share({ visibility: 'PRIVATE' });
    share({ visibility: 'TEAM', team: green });
    share({ visibility: 'TEAM', team: store.teams.get('red') });
    expect(() => share({ visibility: 'PRIVATE' })).toThrow(refused);
    expect(store.as(bearer(row)).models.get('tiny-base').visibility).toBe('TEAM');

    const { row: ended } = seedToken(store);
    const own = store.as(bearer(ended)).models.add({ ...syntheticModel, name: 'own' });
    store.administration.revokeToken(ended.id);
    expect(() => store.administration.share('model', own, { visibility: 'PRIVATE' })).toThrow(refused);
    const { row: expired } = seedToken(store, 'red', ['write'], -1);
    const late = store.as(bearer(expired)).models.add({ ...syntheticModel, name: 'late' });
    expect(() => store.administration.share('model', late, { visibility: 'PRIVATE' })).toThrow(refused);
  });

  it('leaves everything with somebody who sees it and may change it, whoever changed it in whatever order', () => {
    const store = temporaryStore();
    const tokens = ['red', 'red', 'green', 'green'].map((team) => bearer(seedToken(store, team).row));
    const teams = [undefined, undefined, null, store.teams.get('red'), store.teams.get('green')];
    const made = store.administration.createToken({ label: 'of nobody', scopes: ['admin'], team: null });
    const admin = bearer(made.row);
    const makers = [owner, admin, ...tokens];
    const changers = [...makers, anonymous];
    const next = random(5);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
    const seen = { changed: 0, refused: 0, private: 0 };
    store.transaction(() => {
      makers.forEach((maker, i) => store.as(maker).models.add({ ...syntheticModel, name: `model-${i}` }));
      for (let step = 0; step < 3_000; step++) {
        const name = `model-${Math.floor(next() * makers.length)}`;
        const before = store.models.get(name);
        const models = store.as(pick(changers));
        const row = models.models.find(name);
        if (!row) continue;
        const team = pick(teams);
        try {
          models.sharing.set('model', row, { visibility: pick(visibilities), team });
          seen.changed++;
        } catch (error) {
          expect(['FORBIDDEN', 'INVALID_ARGUMENT']).toContain((error as CodedError).code);
          expect(store.models.get(name)).toEqual(before);
          seen.refused++;
        }
        const after = store.models.get(name);
        if (after.visibility === 'PRIVATE') seen.private++;
        // The owner and administrators see and change everything: what a team has needs one of its tokens.
        const able = tokens.filter((token) => {
          const found = store.as(token).models.find(name);
          return found && owns(token, found);
        });
        if (after.teamId !== null) expect(able.length, JSON.stringify([step, after])).toBeGreaterThan(0);
        else expect(able).toEqual([]);
        expect(able.every(({ teamId }) => teamId === after.teamId)).toBe(true);
      }
    });
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
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
