/**
 * What a service without group commit would do for a Generate: one transaction for each, in one statement, on one hot
 * list. Room in each page of the counter keeps its updates out of the index.
 */
export const SINGLE_ROW = `WITH lk AS (
    UPDATE counter SET size = size + 1 WHERE id = 1 RETURNING size),
  ins AS (INSERT INTO item (list, id, number) SELECT 1, size, size FROM lk RETURNING id),
  ob AS (INSERT INTO dirty (list, id, mark) SELECT 1, id, 'mark' FROM ins),
  log AS (INSERT INTO change (list, revision, kind, token) SELECT 1, size, 'generate', 'mark' FROM lk)
  SELECT size FROM lk`;

export const TABLES = `
  CREATE TABLE counter (id int PRIMARY KEY, size bigint NOT NULL) WITH (fillfactor = 10);
  CREATE TABLE item (list int, id bigint, number bigint NOT NULL, PRIMARY KEY (list, id), UNIQUE (list, number));
  CREATE TABLE dirty (list int, id bigint, mark text NOT NULL, PRIMARY KEY (list, id));
  CREATE TABLE change (list int, revision bigint, kind text NOT NULL, token text NOT NULL, PRIMARY KEY (list, revision));
  INSERT INTO counter VALUES (1, 0)`;
