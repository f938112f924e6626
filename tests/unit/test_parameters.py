import pytest
from airflow.sdk import Param
from airflow.sdk.exceptions import ParamValidationError

from include.errors import InputError
from include.linking.parameters import LinkingParameters
from search_ops.forms import form

DOCUMENTED = {
    "products": "data/products_400k.txt", "limit": 100_000, "top_k": 30, "batch_size": 64, "workers": 4, "mode": "bulk",
    "kserve_url": "http://localhost:8080", "qdrant_url": "http://localhost:6333", "es_url": "http://localhost:9200",
    "model": "ruri_v3", "collection": "keywords", "index": "product_keywords",
}  # fmt: skip


def test_names_and_defaults_are_the_documented_ones(bare_settings: None) -> None:
    given = LinkingParameters().model_dump()
    assert {name: given[name] for name in DOCUMENTED} == DOCUMENTED


@pytest.mark.parametrize(
    ("name", "value"),
    [("top_k", 0), ("top_k", 1001), ("top_k", "many"), ("mode", "fast"), ("workers", 65), ("index", "Bad Name"),
     ("limit", -1), ("batch_size", 1.5), ("es_url", "https://user:hidden@host:9200"),
     ("products", "")],
)  # fmt: skip
def test_form_and_command_line_refuse_with_the_same_words(name: str, value: object) -> None:
    field: Param = form(LinkingParameters)[name]
    with pytest.raises(ParamValidationError) as by_form:
        field.resolve(value)
    with pytest.raises(InputError) as by_command:
        LinkingParameters.checked({name: value})
    said = str(by_command.value).splitlines()
    assert said[0] == f"Invalid input for param {name}: {str(by_form.value).splitlines()[0]}"
    assert said[1:] == ([f"{field.schema['title']}: {field.description}"] if "does not match" in said[0] else [])


def test_a_value_that_a_pattern_refuses_is_answered_in_words_too() -> None:
    with pytest.raises(InputError, match="\nIndex: Name of the index that readers use: a–z, 0–9, '-' and '_', first a"):
        LinkingParameters.checked({"index": "Bad Name"})


def test_an_unknown_parameter_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError, match="Unknown param topk. There are: products, limit, top_k"):
        LinkingParameters.checked({"topk": 3})


def test_every_field_of_a_form_has_a_title_and_a_help() -> None:
    for name, field in form(LinkingParameters).items():
        assert field.schema.get("title"), name
        assert field.description, name
