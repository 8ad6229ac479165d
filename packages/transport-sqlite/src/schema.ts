import type { Database } from '@celery/sqlite'

/**
 * How the queues lie in the file. Every process of a fleet may run another version of this package, so a change here
 * needs a new `schemaVersion` and a way to bring old files along.
 *
 * - `message`: a payload is written once and deleted once. Where the message is in its life is written elsewhere, in
 *   rows of a few bytes, because changing a row writes its whole page again.
 * - A message is in exactly one of `ready`, `delayed` and `held`. Its id is its place in the order of arrival, which it
 *   keeps however often it leaves and comes back. `rank` is 9 minus the priority, so that rows sort as they are taken.
 * - `held` is keyed by the number of the delivery, which is never used again: it is the fence. The number begins with
 *   the owner's, so everything that one owner holds is one range.
 * - `owner`: one row per connection that fetches. Renewing its lease renews all that it holds. Whoever takes over an
 *   expired owner deletes the row and moves its messages, and nothing that the owner still says about them matches.
 * - `topology` holds a number that changes with the queues, so that connections know when to forget what they remember,
 *   and until when every lease was last prolonged because nobody could renew.
 */
export function createSchema(database: Database): void {
  database.transaction(() => {
    const version = database.prepare('PRAGMA user_version').values([])[0]?.[0]
    if (version === schemaVersion) return
    if (version !== 0) {
      throw new Error(`${database.path} holds queues in a newer layout (${version}): upgrade @celery/transport-sqlite`)
    }
    database.exec(schema)
    database.exec(`PRAGMA user_version = ${schemaVersion}`)
  })
}

const schemaVersion = 1

const schema = `
  CREATE TABLE topology (version INTEGER NOT NULL, grace_end_ms INTEGER NOT NULL);
  INSERT INTO topology VALUES (1, 0);

  CREATE TABLE exchange (name TEXT PRIMARY KEY, declaration TEXT NOT NULL) WITHOUT ROWID;

  CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    declared INTEGER NOT NULL DEFAULT 0,
    message_ttl_ms INTEGER,
    expires_ms INTEGER,
    last_used_ms INTEGER NOT NULL DEFAULT 0,
    auto_delete INTEGER NOT NULL DEFAULT 0,
    exclusive_session TEXT
  );

  CREATE TABLE binding (
    exchange TEXT NOT NULL, queue TEXT NOT NULL, routing_key TEXT NOT NULL,
    PRIMARY KEY (exchange, queue, routing_key)
  ) WITHOUT ROWID;

  CREATE TABLE message (
    id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    not_before_ms INTEGER,
    drop_at_ms INTEGER,
    tag TEXT NOT NULL,
    dead_reason TEXT,
    payload TEXT NOT NULL,
    UNIQUE (queue, tag)
  );

  CREATE TABLE ready (
    queue INTEGER NOT NULL, rank INTEGER NOT NULL, message INTEGER NOT NULL, redeliveries INTEGER NOT NULL,
    PRIMARY KEY (queue, rank, message)
  ) WITHOUT ROWID;

  CREATE TABLE delayed (
    until_ms INTEGER NOT NULL, message INTEGER NOT NULL,
    queue INTEGER NOT NULL, rank INTEGER NOT NULL, redeliveries INTEGER NOT NULL,
    PRIMARY KEY (until_ms, message)
  ) WITHOUT ROWID;

  CREATE TABLE held (
    delivery INTEGER PRIMARY KEY,
    message INTEGER NOT NULL, queue INTEGER NOT NULL, rank INTEGER NOT NULL, redeliveries INTEGER NOT NULL
  );

  CREATE TABLE owner (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    lease_until_ms INTEGER NOT NULL
  );

  CREATE TABLE consumer (
    queue INTEGER NOT NULL, session TEXT NOT NULL,
    PRIMARY KEY (queue, session)
  ) WITHOUT ROWID;
`
