"""What an older store file needs to become today's, step by step; it must lose nothing."""

from __future__ import annotations

MIGRATIONS: dict[int, tuple[str, ...]] = {
    1: (
        "DROP TRIGGER raw_moved",
        """CREATE TRIGGER raw_moved AFTER UPDATE OF t ON raw WHEN old.t <> new.t BEGIN
  INSERT INTO change (unit, start, "end", written_at)
  VALUES (old.unit, max(old.t - 14400000, 0), old.t + 3790000, coalesce((SELECT max(written_at) FROM change), 0));
END""",
    ),
}
"""By the version they begin with; 1 → 2: a ticket that moves leaves a wait that is decided up to an hour later."""
