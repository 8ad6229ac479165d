import type { Database } from '@celery/sqlite'

/**
 * How the queues lie in the file. Every process of a fleet may run another version of this package, so a change here
 * needs a new `schemaVersion` and a way to bring old files along.
 *
 * - `message`: a payload is written once and deleted once. Where the message is in its life is written elsewhere,
 *   because changing a row writes its whole page again. Its id is its place in the order of arrival, which it keeps
 *   however often it leaves and comes back.
 * - A message is in exactly one of `ready`, `delayed` and `claim`. Rows of `ready` and `claim` are ranges of ids, so that
 *   thousands of messages that were put together, and hundreds that were fetched together, are one row. `rank` is 9 minus
 *   the priority, so that rows sort as they are taken.
 * - Of a range in `ready` every message exists. One in `claim` holds those that still do: an acknowledgement deletes the
 *   message and leaves the range alone. Its last message always exists, because the next message to be put gets the
 *   highest id there is and one more, and no range may name it before. Hence `Claims.tidy`, wherever a message leaves.
 * - A fetch has a number which is never used again; with the message's id it is the fence of a delivery. The number
 *   begins with the owner's, so everything that one owner holds is one range. Owners are counted from a random number,
 *   because a file may be replaced by another one, where the fences of the first must mean nothing.
 * - `owner`: one row per connection that fetches. Renewing its lease renews all that it holds; how long one lasts is there
 *   too, so that a lease from before the clock was set back is known by its end. Whoever takes over an expired owner
 *   deletes the row and moves its messages, and nothing that the owner still says about them matches.
 * - `topology` holds a number that changes with the queues, so that connections know when to forget what they remember,
 *   and until when leases were last prolonged because nobody could renew.
 */
export function createSchema(database: Database): void {
  database.transaction(() => {
    const version = database.prepare('PRAGMA user_version').values([])[0]?.[0]
    if (version === schemaVersion) return
    if (version !== 0) {
      const advice = Number(version) > schemaVersion ? 'upgrade @celery/transport-sqlite' : 'move it away or delete it'
      throw new Error(`${database.path} holds queues in another layout (${version}, not ${schemaVersion}): ${advice}`)
    }
    database.exec(schema)
    database.exec(`PRAGMA user_version = ${schemaVersion}`)
  })
}

/** 1 was never released. */
const schemaVersion = 2

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
    drop_at_ms INTEGER,
    tag TEXT NOT NULL,
    dead_reason TEXT,
    payload TEXT NOT NULL,
    UNIQUE (queue, tag)
  );

  CREATE TABLE ready (
    queue INTEGER NOT NULL, rank INTEGER NOT NULL, last INTEGER NOT NULL,
    first INTEGER NOT NULL, redeliveries INTEGER NOT NULL,
    PRIMARY KEY (queue, rank, last)
  ) WITHOUT ROWID;

  CREATE TABLE delayed (
    until_ms INTEGER NOT NULL, message INTEGER NOT NULL,
    queue INTEGER NOT NULL, rank INTEGER NOT NULL, redeliveries INTEGER NOT NULL,
    PRIMARY KEY (until_ms, message)
  ) WITHOUT ROWID;

  CREATE TABLE claim (
    number INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    queue INTEGER NOT NULL, rank INTEGER NOT NULL, redeliveries INTEGER NOT NULL,
    PRIMARY KEY (number, first)
  ) WITHOUT ROWID;

  CREATE TABLE owner (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    lease_ms INTEGER NOT NULL,
    lease_until_ms INTEGER NOT NULL
  );
  INSERT INTO sqlite_sequence (name, seq) VALUES ('owner', random() & ${2 ** 32 - 1});

  CREATE TABLE consumer (
    queue INTEGER NOT NULL, session TEXT NOT NULL,
    PRIMARY KEY (queue, session)
  ) WITHOUT ROWID;
`
