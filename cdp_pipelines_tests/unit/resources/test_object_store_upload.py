from cdp_pipelines.resources.object_store_upload import PART_BYTES, part_bytes

MEBIBYTE = 1024**2
MOST_PARTS = 10_000


def test_parts_hold_the_largest_object_that_s3_takes() -> None:
    sizes = [part_bytes(number) for number in range(1, MOST_PARTS + 1)]
    assert sizes == sorted(sizes)
    assert set(sizes[:1_000]) == {PART_BYTES}
    assert min(sizes) >= 5 * MEBIBYTE
    assert max(sizes) <= 5 * 1024 * MEBIBYTE
    assert sum(sizes) >= 5 * 1024**4
