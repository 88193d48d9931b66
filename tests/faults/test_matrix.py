"""Each guard of the matrix stands where the matrix says, and each of its tests is there."""

import ast
from functools import cache
from pathlib import Path

import pytest
from matrix import FAULTS, Fault

TESTS = Path(__file__).parents[1]


@cache
def functions(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_no_fault_has_two_rows():
    assert len({fault.what for fault in FAULTS}) == len({fault[1:4] for fault in FAULTS}) == len(FAULTS) > 150


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.what for fault in FAULTS])
def test_a_guard_stands_once_and_has_its_test(fault: Fault):
    code = (TESTS.parent / fault.file).read_text("utf-8")
    assert code.count(fault.guard) == 1, f"{fault.file} has not once: {fault.guard}"
    ast.parse(code.replace(fault.guard, fault.without))
    file, name = fault.test.split("::")
    assert name in functions(file), f"tests/{file} has no {name}"
