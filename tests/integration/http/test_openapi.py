"""The OpenAPI document, and answers to requests that are drawn from it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from moderator.http.api.openapi import openapi
from tests.servers.http_stage import TOKEN, Stage, a_stage

if TYPE_CHECKING:
    from schemathesis import BaseSchema, Case

DRAWS = settings(
    max_examples=15,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(tmp_path_factory.mktemp("policies")) as stage:
        yield stage


@pytest.fixture(scope="module")
def document(stage: Stage) -> "BaseSchema":
    import schemathesis  # noqa: PLC0415 - takes a second; other test processes need none of it

    return schemathesis.openapi.from_asgi("/openapi.json", stage.app)


OPERATIONS = [(path, method) for path, operations in openapi()["paths"].items() for method in operations]


def values_of(body: object) -> Iterator[object]:
    """Everything that a JSON value holds, at any depth."""
    yield body
    parts = body.values() if isinstance(body, dict) else body if isinstance(body, list) else ()
    for part in parts:
        yield from values_of(part)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_the_document_allows_is_understood_and_answered_as_documented(
    path: str, method: str, document: "BaseSchema"
) -> None:
    from schemathesis.checks import positive_data_acceptance  # noqa: PLC0415

    @given(case=document[path][method].as_strategy())
    @DRAWS
    def check(case: "Case[Any]") -> None:
        # JSON Schema takes 1e300 for an integer; a channel or an id of an event it is not
        assume(not any(isinstance(each, float) and abs(each) >= 2**53 for each in values_of(case.body)))
        answer = case.call(headers=AUTHORIZATION)
        # an event may be well-formed and have nothing to judge
        case.validate_response(answer, headers=AUTHORIZATION, excluded_checks=[positive_data_acceptance])
        assert answer.status_code in {200, 413, 422}

    check()


@pytest.mark.parametrize(("path", "method"), [each for each in OPERATIONS if each[1] == "post"])
def test_what_the_document_does_not_allow_is_refused_as_documented(
    path: str, method: str, document: "BaseSchema"
) -> None:
    from schemathesis import GenerationMode  # noqa: PLC0415

    @given(case=document[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    @DRAWS
    def check(case: "Case[Any]") -> None:
        case.call_and_validate(headers=AUTHORIZATION)

    check()


def test_the_document_is_openapi_3_1_with_valid_schemas() -> None:
    document = openapi()

    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("event", "is_valid"),
    [
        ({"specversion": "1.0", "data_base64": "eyJ0ZXh0IjogImhpIn0="}, True),
        ({"specversion": "1.0", "data": {"text": "hi"}}, True),
        ({"specversion": "1.0"}, False),
    ],
)
def test_a_cloud_event_has_data_in_either_form(event: dict[str, Any], is_valid: bool, stage: Stage) -> None:  # noqa: FBT001
    schema = openapi()["components"]["schemas"]["CloudEvent"]

    assert jsonschema.Draft202012Validator(schema).is_valid(event) is is_valid
    assert (stage.client.post("/v1/decisions", json=event).status_code == 200) is is_valid


def test_the_document_is_served_as_it_is_committed(stage: Stage) -> None:
    assert stage.client.get("/openapi.json").json() == openapi()
