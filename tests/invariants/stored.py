"""All that is stored, as somebody sees it who has the database and nothing else."""

from collections.abc import Iterator

from sqlalchemy import MetaData, Table, inspect, select

from exchange.services import Services


def rows(services: Services) -> Iterator[tuple[str, str, object]]:
    """Table, column and value of everything that is stored, as the database gives it."""
    with services.database.reading() as connection:
        schemas = inspect(connection).get_schema_names()
        for schema in schemas if not services.database.is_sqlite else [None]:
            if schema in {"information_schema", "pg_catalog"}:
                continue
            for name in inspect(connection).get_table_names(schema=schema):
                table = Table(name, MetaData(), autoload_with=connection, schema=schema)
                for row in connection.execute(select(table)).mappings():
                    yield from ((name, column, value) for column, value in row.items())


def plain(value: object) -> bytes:
    return bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
