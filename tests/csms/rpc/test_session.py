"""One outstanding CALL per direction, late replies dropped, repeated messages answered once."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from csms.rpc.dialects import OCPP16
from csms.rpc.frames import Call, CallError, CallResult
from csms.rpc.session import Answered, Dropped, Expired, Refused, Repeated, Request, Session

START = '[2,"7","StartTransaction",{"connectorId":1}]'


def call(message_id: str) -> Call:
    return Call(message_id, "ClearCache", {})


def sent(session: Session) -> list[str]:
    return [outgoing.text for outgoing in session.outbox()]


def test_our_second_call_waits_for_the_answer_to_the_first() -> None:
    session = Session(OCPP16)
    assert session.call(call("a"), 0) is None
    assert session.call(call("b"), 0) is None
    assert sent(session) == ['[2,"a","ClearCache",{}]']
    assert session.receive('[3,"a",{"status":"Accepted"}]', 1) == Answered(
        call("a"), CallResult("a", {"status": "Accepted"})
    )
    assert sent(session) == ['[2,"b","ClearCache",{}]']


def test_a_call_error_is_an_answer() -> None:
    session = Session(OCPP16)
    session.call(call("a"), 0)
    event = session.receive('[4,"a","NotSupported","no cache",{}]', 1)
    assert event == Answered(call("a"), CallError("a", "NotSupported", "no cache", {}))


def test_a_late_reply_is_never_matched_to_another_call() -> None:
    session = Session(OCPP16, timeout_s=20)
    session.call(call("a"), 0)
    session.call(call("b"), 15)
    assert session.deadline_s == 20
    assert session.expire(20) == [Expired(call("a"), sent=True)]
    assert sent(session)[-1] == '[2,"b","ClearCache",{}]'
    assert session.receive('[3,"a",{}]', 21) == Dropped("late or double reply with id 'a'")
    assert session.receive('[3,"b",{}]', 22) == Answered(call("b"), CallResult("b", {}))


def test_a_second_reply_to_the_same_call_is_dropped() -> None:
    session = Session(OCPP16)
    session.call(call("a"), 0)
    session.receive('[3,"a",{}]', 1)
    assert session.receive('[3,"a",{}]', 1) == Dropped("late or double reply with id 'a'")


def test_a_reply_to_nothing_is_dropped() -> None:
    assert Session(OCPP16).receive('[3,"x",{}]', 0) == Dropped("foreign reply with id 'x'")


def test_a_call_that_could_not_be_sent_in_time_says_so() -> None:
    session = Session(OCPP16, timeout_s=20)
    session.call(call("a"), 0)
    session.call(call("b"), 0)
    assert session.expire(20) == [Expired(call("a"), sent=True), Expired(call("b"), sent=False)]


def test_calls_beyond_the_queue_are_refused() -> None:
    session = Session(OCPP16, max_waiting=2)
    for message_id in "abc":
        assert session.call(call(message_id), 0) is None
    assert session.call(call("d"), 0) == "2 calls are waiting for this station already"


def test_a_message_id_is_used_once() -> None:
    session = Session(OCPP16)
    session.call(call("a"), 0)
    assert session.call(call("a"), 0) == "message id 'a' was used before on this connection"
    assert session.call(call("x" * 37), 0) == f"message id '{'x' * 37}' is not 1 to 36 characters long"


def test_closing_ends_every_call() -> None:
    session = Session(OCPP16)
    session.call(call("a"), 0)
    session.call(call("b"), 0)
    assert session.close() == [Expired(call("a"), sent=True), Expired(call("b"), sent=False)]
    assert session.deadline_s is None


def test_a_stations_calls_are_handed_out_in_order_before_the_first_is_answered() -> None:
    session = Session(OCPP16)
    first, second = session.receive('[2,"1","A",{}]', 0), session.receive('[2,"2","B",{}]', 0)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    session.answer(first, CallResult("1", {}))
    session.answer(second, CallResult("2", {}))
    assert sent(session) == ['[3,"1",{}]', '[3,"2",{}]']


def test_a_repeated_message_gets_its_first_answer_again() -> None:
    session = Session(OCPP16)
    request = session.receive(START, 0)
    assert isinstance(request, Request)
    assert isinstance(session.receive(START, 0), Repeated)
    assert sent(session) == []
    session.answer(request, CallResult("7", {"transactionId": 1}))
    assert isinstance(session.receive(START, 1), Repeated)
    assert sent(session) == ['[3,"7",{"transactionId":1}]'] * 2


def test_the_same_id_with_other_content_is_another_message() -> None:
    session = Session(OCPP16)
    request = session.receive(START, 0)
    assert isinstance(request, Request)
    session.answer(request, CallResult("7", {"transactionId": 1}))
    assert isinstance(session.receive(START.replace("1}", "2}"), 1), Request)


def test_a_repeated_heartbeat_gets_the_new_time() -> None:
    session = Session(OCPP16)
    heartbeat = '[2,"7","Heartbeat",{}]'
    request = session.receive(heartbeat, 0)
    assert isinstance(request, Request)
    session.answer(request, CallResult("7", {"currentTime": "then"}))
    assert isinstance(session.receive(heartbeat, 60), Request)


def test_after_an_internal_error_the_repeated_message_is_tried_again() -> None:
    session = Session(OCPP16)
    request = session.receive(START, 0)
    assert isinstance(request, Request)
    session.answer(request, CallError("7", "InternalError"))
    assert isinstance(session.receive(START, 1), Request)


def test_only_the_last_answers_are_remembered() -> None:
    session = Session(OCPP16, answers_kept=2)
    for number in range(3):
        request = session.receive(f'[2,"{number}","Authorize",{{}}]', 0)
        assert isinstance(request, Request)
        session.answer(request, CallResult(str(number), {}))
    assert isinstance(session.receive('[2,"0","Authorize",{}]', 1), Request)
    assert isinstance(session.receive('[2,"2","Authorize",{}]', 1), Repeated)


def test_an_unreadable_call_is_answered_by_the_session_itself() -> None:
    session = Session(OCPP16)
    event = session.receive('[2,"7","Heartbeat",7]', 0)
    assert event == Refused(CallError("7", "FormationViolation", "payload is a number; it must be an object"))
    assert sent(session) == ['[4,"7","FormationViolation","payload is a number; it must be an object",{}]']


def test_an_unreadable_text_is_dropped_without_a_word() -> None:
    session = Session(OCPP16)
    assert isinstance(session.receive("gibberish", 0), Dropped)
    assert sent(session) == []


class TwoPeers(RuleBasedStateMachine):
    """Whatever comes in whatever order: one CALL of ours is out at most, in FIFO order, and each ends exactly once."""

    def __init__(self) -> None:
        super().__init__()
        self.session = Session(OCPP16, timeout_s=20, max_waiting=5)
        self.now_s = 0.0
        self.count = 0
        self.accepted: list[str] = []
        self.sent: list[str] = []
        self.ended: list[str] = []

    @rule()
    def we_call(self) -> None:
        self.count += 1
        message_id = f"c{self.count}"
        if self.session.call(call(message_id), self.now_s) is None:
            self.accepted.append(message_id)
        self.pump()

    @rule(guess=st.integers(0, 12), error=st.booleans())
    def station_replies(self, guess: int, error: bool) -> None:
        text = f'[4,"c{guess}","GenericError","",{{}}]' if error else f'[3,"c{guess}",{{}}]'
        event = self.session.receive(text, self.now_s)
        if isinstance(event, Answered):
            assert event.call.message_id == f"c{guess}"
            assert f"c{guess}" in self.sent
            self.ended.append(event.call.message_id)
        self.pump()

    @rule(seconds=st.sampled_from([1.0, 7.0, 20.0, 25.0]))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds
        for expired in self.session.expire(self.now_s):
            assert expired.sent == (expired.call.message_id in self.sent)
            self.ended.append(expired.call.message_id)
        self.pump()

    @rule(text=st.text(max_size=30))
    def station_babbles(self, text: str) -> None:
        self.session.receive(text, self.now_s)
        self.pump()

    def pump(self) -> None:
        self.sent += [out.frame.message_id for out in self.session.outbox() if isinstance(out.frame, Call)]

    @invariant()
    def at_most_one_call_is_out(self) -> None:
        assert len(set(self.sent) - set(self.ended)) <= 1

    @invariant()
    def each_call_ends_at_most_once_and_they_go_out_in_order(self) -> None:
        assert len(self.ended) == len(set(self.ended))
        assert self.sent == [message_id for message_id in self.accepted if message_id in set(self.sent)]

    def teardown(self) -> None:
        self.ended += [expired.call.message_id for expired in self.session.close()]
        assert sorted(self.ended) == sorted(self.accepted)


TwoPeers.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestTwoPeers = TwoPeers.TestCase
