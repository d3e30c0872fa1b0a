-- What databases for tests have besides what the migration makes.
insert into jobs (made_by) select 'seed ' || number from generate_series(1, 100) number;
