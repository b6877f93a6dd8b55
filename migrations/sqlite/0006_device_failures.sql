-- Wrong codes in a row from a known browser: after a hundred it is not known any more.
ALTER TABLE device ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
