import pytest

from cdp_pipelines.domain.companies import company_from_document, is_partition_key, plan_partitions


@pytest.mark.parametrize(("stored", "on"), [(True, True), (False, False), ("true", False), (1, False), (None, False)])
def test_only_a_stored_true_switches_a_flag_on(stored: object, on: bool) -> None:
    company = company_from_document({"_id": "c", "features": {"flag": stored}})
    assert company.has("flag") is on
    assert company.has("another") is False


@pytest.mark.parametrize("document", [{"_id": "c"}, {"_id": "c", "features": None}, {"_id": "c", "features": [1]}])
def test_a_company_without_features_has_everything_off(document: dict[str, object]) -> None:
    assert company_from_document(document).has("flag") is False


@pytest.mark.parametrize("key", ["", " a", "a/b", "a,b", "a\nb", "..", "a...b", "x" * 201, 5, None, {"$ne": 1}, "[a]"])
def test_keys_that_cannot_be_partitions(key: object) -> None:
    assert not is_partition_key(key)


def test_partitions_follow_the_companies() -> None:
    plan = plan_partitions(["b", "a", 7, "x/y"], ["a", "gone", "kept"], ["kept", "a"], at_most=10)
    assert (plan.add, plan.remove, plan.unusable) == (("b",), ("gone",), 2)


def test_a_tick_is_bounded() -> None:
    plan = plan_partitions([f"c{i}" for i in range(9)], ["old1", "old2"], [], at_most=3)
    assert (len(plan.add), plan.remove) == (3, ())
