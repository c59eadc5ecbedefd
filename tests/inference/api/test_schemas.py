"""What clients send, without a service around it."""

import pytest
from pydantic import ValidationError

from inference.api.errors import error_body
from inference.api.schemas import ChatBody, CompletionBody

MANY = 5000


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (ChatBody, {"messages": [{}] * MANY}),
        (ChatBody, {"messages": [{"role": "user", "content": [{}] * MANY}]}),
        (CompletionBody, {"prompt": [-1] * MANY}),
        (CompletionBody, {"prompt": "a", "stop": ["", "", "", ""]}),
    ],
    ids=["messages", "parts of a message", "tokens", "stop strings"],
)
def test_a_body_of_many_mistakes_is_checked_to_the_first(kind, body):
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(body)
    assert caught.value.error_count() <= 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (429, "rate_limit_error"), (500, "server_error"), (504, "server_error")],
)
def test_the_type_of_an_error_says_whose_it_is(status, kind):
    assert error_body(status, "x")["error"]["type"] == kind
