CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE raw (
  device INTEGER NOT NULL, spool INTEGER NOT NULL, n INTEGER NOT NULL,
  unit INTEGER NOT NULL, centre INTEGER NOT NULL, t INTEGER NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (device, spool, n)) WITHOUT ROWID;
CREATE INDEX raw_by_time ON raw (unit, t);
CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT, unit INTEGER NOT NULL, start INTEGER NOT NULL, "end" INTEGER NOT NULL,
  written_at INTEGER NOT NULL);
CREATE INDEX change_by_time ON change (written_at);
-- A repeat with a smaller t moves its event: the place it leaves must be folded again.
CREATE TRIGGER raw_moved AFTER UPDATE OF t ON raw WHEN old.t <> new.t BEGIN
  INSERT INTO change (unit, start, "end", written_at)
  VALUES (old.unit, max(old.t - 14400000, 0), old.t + 3790000, coalesce((SELECT max(written_at) FROM change), 0));
END;
CREATE TABLE rows (
  device INTEGER NOT NULL, spool INTEGER NOT NULL, stored TEXT NOT NULL, refused TEXT NOT NULL, dropped TEXT NOT NULL,
  PRIMARY KEY (device, spool)) WITHOUT ROWID;
CREATE TABLE total (
  unit INTEGER NOT NULL, width TEXT NOT NULL, start INTEGER NOT NULL, scope TEXT NOT NULL,
  province TEXT NOT NULL, sums TEXT NOT NULL, PRIMARY KEY (unit, width, start, scope)) WITHOUT ROWID;
CREATE TABLE live (unit TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE dead (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, device TEXT NOT NULL, reason TEXT NOT NULL,
  rows INTEGER NOT NULL, size INTEGER NOT NULL);
CREATE TABLE dead_count (reason TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
