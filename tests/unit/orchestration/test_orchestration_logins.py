"""One-time codes and sessions."""

from medkg_lab.orchestration.logins import CODE_S, MAX_CODES, MAX_SESSIONS, SESSION_S, Logins


class Clock:
    """A clock that a test puts forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_code_opens_one_session() -> None:
    held = Logins()
    code = held.new_code()
    session = held.exchange(code)
    assert session is not None
    assert session != code
    assert held.is_session(session)
    assert held.exchange(code) is None, "it is used up"
    assert not held.is_session(code)
    assert not held.is_code(session)


def test_a_code_ends_after_a_minute_and_a_session_after_its_last_use() -> None:
    clock = Clock()
    held = Logins(clock)
    late, code = held.new_code(), held.new_code()
    session = held.exchange(code)
    assert session is not None
    clock.now += CODE_S
    assert held.exchange(late) is None
    for _ in range(3):
        clock.now += SESSION_S - 2 * CODE_S
        assert held.is_session(session)
    clock.now += SESSION_S
    assert not held.is_session(session)


def test_asking_whether_a_code_is_one_does_not_use_it_up() -> None:
    held = Logins()
    code = held.new_code()
    assert held.is_code(code)
    assert held.exchange(code)


def test_the_number_of_codes_and_sessions_is_bounded_and_the_oldest_go() -> None:
    held = Logins()
    codes = [held.new_code() for _ in range(MAX_CODES + 1)]
    assert not held.is_code(codes[0])
    sessions = [held.exchange(code) for code in codes[1 : MAX_SESSIONS + 2]]
    assert [held.is_session(session or "") for session in sessions] == [False] + [True] * MAX_SESSIONS


def test_no_secret_is_held() -> None:
    held = Logins()
    code = held.new_code()
    session = held.exchange(held.new_code())
    assert session is not None
    assert not any(secret in repr(vars(held)) for secret in (code, session))


def test_any_text_may_be_asked_about() -> None:
    assert not any(Logins().is_code(text) or Logins().is_session(text) for text in ("", "\ud800", "€", "\0" * 100))
