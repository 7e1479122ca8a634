"""The notes migration on real servers: what becomes of each note, and that nothing else changes."""

from cdp_pipelines_tests.integration.pipelines.migration_harness import assert_adds_up
from cdp_pipelines_tests.integration.pipelines.notes_harness import Notes


def test_notes_become_documents(notes: Notes) -> None:
    m = notes
    m.fill(5)
    result = m.run()
    assert result.success
    job = m.job()
    assert_adds_up(job)
    assert job["status"] == "completed_success"
    print(job)
    print(m.notes())
