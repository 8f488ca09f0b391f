"""The long log that is measured on is a real one: it verifies, starts, is signed and proven."""

from pathlib import Path

from audit import log, records, search
from audit.live import verify_log
from audit.tile_store import stored_tiles
from audit.tree import leaf_hash, verify_inclusion
from exchange.bench import long_log, long_record
from exchange.services import SHARD, build_services
from exchange.settings import Settings


def test_a_log_that_was_lengthened_is_whole_and_goes_on(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    long_log.appends(settings, 0.3)
    with_first = long_log.bytes_an_entry(settings)["entries"]
    size = 66_000

    long_log.lengthen(settings, size)

    services = build_services(settings)
    services.writer.submit(long_log._note).result()  # noqa: SLF001 - what the measuring appends
    done = services.checkpointing.once()
    assert done is not None
    assert done.size == size + 1 > with_first
    with services.database.reading() as connection:
        assert {each.code for each in verify_log(connection, shard=SHARD).findings} == set()
        ((index, leaf),) = log.entries(connection, shard=SHARD, start=65_535, stop=65_536)
        proof = stored_tiles(connection, shard=SHARD, size=done.size).inclusion(index)
    assert verify_inclusion(index, done.size, leaf_hash(leaf), proof, done.root)
    services.close()


def test_its_figures_are_all_there(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")

    figures = long_log.appends(settings, 0.3)
    long_log.lengthen(settings, 20_000)

    assert figures["per_second"] > 0
    assert long_log.proofs(settings)["entries"] == 20_000
    assert long_log.starts(settings)["p50_ms"] > 0
    assert 100 < long_log.bytes_an_entry(settings)["leaf"] < 300
    assert long_log.bytes_an_entry(settings)["tree"] <= 36


def test_a_log_that_is_longer_already_stays_as_it_is(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    long_log.lengthen(settings, 600)

    long_log.lengthen(settings, 300)

    assert long_log.proofs(settings)["entries"] == 600


def test_a_client_s_record_lies_all_over_a_long_log(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    size = 5_000

    client = long_record.lengthen_about(settings, size)

    saw = long_record.who_saw(settings, client)
    assert (saw["events"], saw["entries"]) == (long_record.EVENTS, size)
    assert saw["p50_ms"] > 0
    rates = long_record.verifying(settings, client)
    assert rates["hashed_per_second"] > rates["read_per_second"] > 0
    services = build_services(settings)
    with services.database.reading() as connection:
        assert verify_log(connection, shard=SHARD).findings == ()
        indexed = records.index_between(connection, shard=SHARD, start=0, stop=size)
        wanted = search.Filter(subject=services.keys.blind("sub", client))
        places = search.indexes(connection, shard=SHARD, wanted=wanted)
    services.close()
    assert len(indexed) == size
    assert {place * long_record.STEPS // size for place in places} == set(range(long_record.STEPS))
