"""Logging in: SCRAM-SHA-256 message by message, and what a connection may do before and after it."""

import base64
import hashlib
import hmac

import pytest

from medkg_lab.broker.embedded.access import Session
from medkg_lab.broker.embedded.accounts import Accounts
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.scram import Exchange, NotProved, Verifier

# The example of RFC 7677, section 3.
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_NONCE, SERVER_NONCE = "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
NONCE = f"{CLIENT_NONCE}{SERVER_NONCE}".encode()
FIRST = f"n,,n=user,r={CLIENT_NONCE}".encode()
FINAL = b"c=biws,r=%b,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" % NONCE


def exchange() -> Exchange:
    verifier = Verifier.of("pencil", SALT)
    return Exchange(lambda _: verifier, SERVER_NONCE)


def test_the_example_of_the_rfc() -> None:
    one = exchange()
    assert one.first(FIRST) == b"r=%b,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" % NONCE
    assert one.user == "user"
    assert one.final(FINAL) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"p=tls-unique,,n=user,r=abc",
        b"n,,n=,r=abc",
        b"n,,r=abc,n=user",
        b"n,,n=user",
        b"n,a=other,n=user,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=user,r=a\0b",
        b"\0lab\0password",
    ],
)
def test_first_messages_that_are_not_ones(message: bytes) -> None:
    with pytest.raises(NotProved):
        exchange().first(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        FINAL.replace(b"p=d", b"p=e"),
        FINAL.replace(b"c=biws", b"c=eSws"),
        FINAL.replace(NONCE, NONCE[:-1]),
        FINAL.replace(b",p=", b",q="),
        FINAL.partition(b",p=")[0] + b",p=AAAA",
        FINAL.partition(b",p=")[0] + b",p=!",
    ],
)
def test_last_messages_that_prove_nothing(message: bytes) -> None:
    one = exchange()
    one.first(FIRST)
    with pytest.raises(NotProved):
        one.final(message)


def test_the_last_message_is_nothing_without_the_first() -> None:
    with pytest.raises(NotProved):
        exchange().final(FINAL)


def test_names_are_read_as_they_are_escaped() -> None:
    one = exchange()
    one.first(b"n,a=a=2Cb=3D,n=a=2Cb=3D,r=abc")
    assert one.user == "a,b="


def proof(password: str, first: bytes, answer: bytes, before: bytes = b"") -> bytes:
    """The second message of a client that thinks of `password`, with `before` in front of the nonce."""
    fields = dict(part.split(b"=", 1) for part in answer.split(b","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields[b"s"]), int(fields[b"i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    bare = b"c=biws,r=" + before + fields[b"r"]
    said = b",".join((first[3:], answer, bare))
    signature = hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256")
    mixed = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    return bare + b",p=" + base64.b64encode(mixed)


ACCOUNTS = Accounts.of({"lab": "one", "producer": "two"})


def log_in(session: Session, user: str, password: str) -> Code:
    assert session.handshake("SCRAM-SHA-256") == Code.NONE
    first = f"n,,n={user},r=abcdefgh".encode()
    code, answer = session.authenticate(first)
    assert code == Code.NONE
    return session.authenticate(proof(password, first, answer))[0]


def test_accounts_are_let_in_as_themselves() -> None:
    for user, password in (("lab", "one"), ("producer", "two")):
        session = Session(ACCOUNTS)
        assert session.account is None
        assert log_in(session, user, password) == Code.NONE
        assert (session.account, session.failed) == (user, False)


def test_the_nonce_of_older_librdkafka_is_taken() -> None:
    session = Session(ACCOUNTS)
    session.handshake("SCRAM-SHA-256")
    first = b"n,,n=lab,r=abcdefgh"
    _, answer = session.authenticate(first)
    assert session.authenticate(proof("one", first, answer, b"abcdefgh"))[0] == Code.NONE


@pytest.mark.parametrize(("user", "password"), [("lab", "two"), ("producer", "one"), ("nobody", "one"), ("nobody", "")])
def test_others_are_not(user: str, password: str) -> None:
    session = Session(ACCOUNTS)
    assert log_in(session, user, password) == Code.SASL_AUTHENTICATION_FAILED
    assert (session.account, session.failed) == (None, True)


def test_a_user_that_does_not_exist_looks_like_one_that_does() -> None:
    answers = {ACCOUNTS.verifier(name).salt for name in ("nobody", "nobody", "someone")}
    assert len(answers) == 2
    assert {len(salt) for salt in answers} == {len(ACCOUNTS.verifier("lab").salt)}


def test_steps_out_of_order_are_refused() -> None:
    early = Session(ACCOUNTS)
    assert early.authenticate(FIRST)[0] == Code.ILLEGAL_SASL_STATE
    assert early.failed
    other = Session(ACCOUNTS)
    assert other.handshake("PLAIN") == Code.UNSUPPORTED_SASL_MECHANISM
    assert other.failed
    twice = Session(ACCOUNTS)
    log_in(twice, "lab", "one")
    assert twice.handshake("SCRAM-SHA-256") == Code.ILLEGAL_SASL_STATE
    assert twice.authenticate(FIRST)[0] == Code.ILLEGAL_SASL_STATE
    assert twice.is_in
    assert not twice.failed


def test_without_accounts_everyone_is_the_lab() -> None:
    session = Session(None)
    assert session.account == "lab"
    assert session.handshake("SCRAM-SHA-256") == Code.ILLEGAL_SASL_STATE
