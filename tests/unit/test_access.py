from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.core.access import LOCAL, ApiKey, Principal, Scope, decide, parse_scopes, require, visible
from nlp_service.errors import Forbidden, InputError

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def who(*scopes: Scope, departments: set[str] | None = None) -> Principal:
    own = None if departments is None else frozenset(departments)
    return Principal(id="key abc", scopes=frozenset(scopes), departments=own)


def test_a_scope_opens_itself_and_what_it_implies() -> None:
    assert decide(who(Scope.THEMES_WRITE), Scope.THEMES_READ).allowed
    refused = decide(who(Scope.THEMES_READ), Scope.THEMES_WRITE)
    assert (refused.allowed, refused.reason) == (False, "key abc lacks the scope themes:write; it has themes:read")
    assert all(decide(LOCAL, scope, department="quality").allowed for scope in Scope)


@given(st.frozensets(st.sampled_from(Scope)), st.sampled_from(Scope), st.sampled_from(Scope))
def test_a_further_scope_never_takes_anything_away(own: frozenset[Scope], more: Scope, asked: Scope) -> None:
    if decide(who(*own), asked).allowed:
        assert decide(who(*own, more), asked).allowed


@given(st.frozensets(st.sampled_from(["a", "b", "c"])), st.sampled_from(["a", "b", "c"]), st.sampled_from(Scope))
def test_a_viewer_of_some_departments_never_sees_another(own: frozenset[str], asked: str, scope: Scope) -> None:
    principal = who(Scope.ADMIN, departments=set(own))
    assert decide(principal, scope, department=asked).allowed == (asked in own)
    if asked not in own:
        with pytest.raises(Forbidden, match=f"not {asked}"):
            require(principal, scope, department=asked)
        with pytest.raises(Forbidden, match=f"not {asked}"):
            visible(principal, asked)


def test_a_query_is_limited_to_what_may_be_seen() -> None:
    assert visible(LOCAL) is None
    assert visible(LOCAL, "quality") == {"quality"}
    assert visible(who(Scope.READ, departments={"quality", "risk"})) == {"quality", "risk"}
    assert visible(who(Scope.READ, departments={"quality", "risk"}), "risk") == {"risk"}


def test_scope_names_are_checked() -> None:
    assert parse_scopes(["classify", "themes:read"]) == {Scope.CLASSIFY, Scope.THEMES_READ}
    with pytest.raises(InputError, match="unknown scope root: choose from classify,"):
        parse_scopes(["root", "classify"])
    with pytest.raises(InputError, match="at least one"):
        parse_scopes([])


@pytest.mark.parametrize(
    ("expires", "revoked", "refusal"),
    [
        (None, None, None),
        (1, 1, None),
        (0, None, "expired at 2026-03-02"),
        (None, 0, "was revoked at 2026-03-02"),
    ],
)
def test_a_key_ends_at_its_moment(expires: int | None, revoked: int | None, refusal: str | None) -> None:
    def at(hours: int | None) -> datetime | None:
        return None if hours is None else NOW + timedelta(hours=hours)

    key = ApiKey(
        id="abc",
        name="hub",
        scopes=frozenset({Scope.CLASSIFY}),
        departments=None,
        created_at=NOW - timedelta(days=1),
        created_by="local",
        expires_at=at(expires),
        revoked_at=at(revoked),
    )
    answer = key.refusal(NOW)
    assert answer == refusal or (refusal is not None and answer is not None and answer.startswith(refusal))
