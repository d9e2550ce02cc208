"""Sentences that are stored as code and parameters, and rendered in the reader's language."""

import pickle
from datetime import UTC, datetime

import pytest
from django.utils import translation

from accounts import stored_messages
from vms.models import Operation, SyncRun
from vms.sentences import say, status

SPANISH = "No se sabe si el clúster recibió la petición. Comprueba la máquina antes de intentarlo otra vez."
ENGLISH = "It is unknown whether the cluster received the request. Check the machine before you try again."


def unsure() -> stored_messages.Message:
    return say("look-first", why=say("reception-unknown"))


def stored(text: str, *, most: int = 300) -> SyncRun:
    """A row that holds it."""
    return SyncRun(**stored_messages.columns("problem", text, most=most))


def test_it_is_rendered_in_the_readers_language_whoever_wrote_it():
    for writer in ("en", "es"):
        with translation.override(writer):
            row = stored(unsure())
        assert row.problem == ENGLISH
        with translation.override("es"):
            assert row.rendered_problem == SPANISH
        with translation.override("en"):
            assert row.rendered_problem == ENGLISH


def test_it_is_in_the_language_of_the_moment_when_it_is_made():
    with translation.override("es"):
        message = unsure()
        assert message == SPANISH
    assert (stored_messages.render(message), stored_messages.english(message)) == (ENGLISH, ENGLISH)


def test_what_is_no_message_stays_as_it_is():
    with translation.override("es"):
        assert stored("command 'qm stop' failed").rendered_problem == "command 'qm stop' failed"
        assert stored_messages.render("Start") == "Start"


def test_a_parameter_that_reads_like_a_word_is_not_translated():
    with translation.override("es"):
        assert stored(say("cancelled-by", name="Start")).rendered_problem.startswith("Cancelada por Start ")


def test_a_day_is_written_as_the_reader_writes_it():
    row = stored(say("ends-on", name="x", day=datetime(2026, 12, 9, 12, tzinfo=UTC)))
    assert row.problem == "x expires on 2026-12-09"
    with translation.override("es"):
        assert "2026-12-09" in row.rendered_problem


def test_a_long_one_is_cut_in_the_column_and_rendered_whole():
    row = stored(say("unshown-points", names="p" * 400))
    assert (len(row.problem), len(row.rendered_problem) > 400) == (300, True)


def test_a_stored_one_can_be_part_of_another():
    part = stored(say("reception-unknown")).rendered_problem
    with translation.override("es"):
        assert stored(say("look-first", why=part)).rendered_problem == SPANISH


def test_the_text_wins_when_an_older_version_wrote_it_alone():
    row = stored(unsure())
    row.problem = "Something else."
    with translation.override("es"):
        assert row.rendered_problem == "Something else."
    row.problem = ""
    assert row.rendered_problem == ""


@pytest.mark.parametrize("later", [{"code": "of-a-later-version", "parameters": {}}, {"code": "look-first"}, {}])
def test_what_a_later_version_wrote_is_rendered_in_english(later: dict[str, object]):
    row = stored(unsure())
    row.problem_message = {"of": row.problem_message["of"], **later}
    with translation.override("es"):
        assert row.rendered_problem == ENGLISH


def test_a_code_means_one_sentence():
    with pytest.raises(ValueError, match="look-first"):
        stored_messages.register({"look-first": "Something else."})


def test_a_wrong_code_is_noticed_where_it_is_written():
    with pytest.raises(KeyError):
        say("no-such-code")
    with pytest.raises(KeyError):
        say("look-first", wrong="x")


def test_it_can_be_carried_to_another_process():
    assert pickle.loads(pickle.dumps(unsure())).code == "look-first"  # noqa: S301 - ours


def test_every_action_and_state_has_its_word():
    assert {f"action-{action}" for action in Operation.Action.values} <= stored_messages.codes()
    assert status("running") == "running"
    assert status("prelaunch") == "paused"
