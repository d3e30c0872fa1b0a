import psycopg2
import pytest


def jobs(connection):
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from jobs")
        return cursor.fetchone()[0]


@pytest.mark.parametrize("number", range(8))
def test_each_has_a_database_of_its_own(database, number):
    connection = psycopg2.connect(database["url"])
    assert jobs(connection) == 100
    connection.cursor().execute("delete from jobs")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("number", range(8))
def test_a_worker_keeps_its_database(database_url, number):
    connection = psycopg2.connect(database_url)
    before = jobs(connection)
    connection.cursor().execute("delete from jobs where id = (select max(id) from jobs)")
    connection.commit()
    assert jobs(connection) == before - 1
    connection.close()
