from cdp_pipelines.cli.local_environment import missing_settings

LOCAL = {
    "CDP_MONGO_URI": "mongodb://127.0.0.1:1/",
    "CDP_MONGO_DB": "cdp",
    "CDP_S3_BUCKET": "local",
    "CDP_S3_ENDPOINT_URL": "http://127.0.0.1:2",
    "AWS_ACCESS_KEY_ID": "LOCAL",
    "AWS_SECRET_ACCESS_KEY": "local",
    "CDP_SMTP_HOST": "127.0.0.1",
    "CDP_SMTP_PORT": "3",
    "CDP_EMAIL_FROM": "a@b.example",
    "DAGSTER_HOME": "/local/home",
}


def test_an_empty_shell_gets_all_of_it() -> None:
    assert missing_settings({}, LOCAL) == LOCAL


def test_what_the_shell_says_wins() -> None:
    added = missing_settings({"DAGSTER_HOME": "/mine", "CDP_MONGO_DB": "mine"}, LOCAL)
    assert not {"DAGSTER_HOME", "CDP_MONGO_DB"} & added.keys()


def test_systems_are_never_mixed() -> None:
    added = missing_settings({"CDP_S3_BUCKET": "mine", "CDP_SMTP_HOST": "mail.example"}, LOCAL)
    assert sorted(added) == ["CDP_MONGO_DB", "CDP_MONGO_URI", "DAGSTER_HOME"]


def test_the_local_bucket_comes_with_its_own_keys() -> None:
    added = missing_settings({"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "mine"}, LOCAL)
    assert added["AWS_ACCESS_KEY_ID"] == "LOCAL"
    assert added["AWS_SECRET_ACCESS_KEY"] == "local"
