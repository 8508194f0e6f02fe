"""Prototypes: what a C declaration says about a function, and how a ufunc can obey it.

`double remquo(double, double, int *)` becomes a ufunc of two inputs and two outputs. A pointer that
is not `const` is one more output, of one value; every other parameter is an input. pycparser reads
the C, so typedefs of the header itself are followed; it is imported only when text is to be read.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from libufunc.errors import PrototypeError, SymbolError
from libufunc.scalars import TYPEDEFS, Scalar, scalar_of_dtype, scalar_of_words

MAX_OPERANDS = 32  # NumPy's own bound on inputs and outputs together, in all its versions


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: a value that goes in, or a pointer through which one comes out."""

    scalar: Scalar
    is_output: bool = False


@dataclass(frozen=True, slots=True)
class Prototype:
    """A function that can become a ufunc.

    Attributes:
        name: The symbol.
        result: What it returns; `None` for `void`.
        parameters: In the order of C.
    """

    name: str
    result: Scalar | None
    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        """Refuse what no ufunc can do."""
        if not self.inputs or not self.outputs:
            raise PrototypeError(
                f"`{self}` has {len(self.inputs)} input(s) and {len(self.outputs)} output(s); a "
                "ufunc needs at least one of each."
            )
        if len(self.inputs) + len(self.outputs) > MAX_OPERANDS:
            raise PrototypeError(
                f"`{self.name}` has more than {MAX_OPERANDS} operands, which NumPy cannot pass."
            )

    @property
    def inputs(self) -> str:
        """NumPy's characters of the inputs."""
        return "".join(p.scalar.char for p in self.parameters if not p.is_output)

    @property
    def outputs(self) -> str:
        """NumPy's characters of the outputs: the result first, then what pointers bring."""
        first = self.result.char if self.result else ""
        return first + "".join(p.scalar.char for p in self.parameters if p.is_output)

    def __str__(self) -> str:
        """The declaration in C, without names of parameters."""
        inside = ", ".join(p.scalar.c + " *" * p.is_output for p in self.parameters)
        return f"{self.result.c if self.result else 'void'} {self.name}({inside or 'void'})"


def julia_prototype(name: str, result: Any, arguments: Any) -> Prototype:
    """The prototype of Julia's form, `ccall("erf", "m", float64, (float64,))`.

    Args:
        name: The symbol.
        result: Dtype of the result.
        arguments: Tuple of the arguments' dtypes.

    Raises:
        PrototypeError: `arguments` is no tuple, or a dtype has no C type.
    """
    if not isinstance(arguments, tuple):
        raise PrototypeError(
            f"the argument types are `{arguments!r}`, but a tuple was expected; a tuple of one has "
            "a comma, as in `(float64,)`."
        )
    parameters = tuple(Parameter(scalar_of_dtype(one)) for one in arguments)
    return Prototype(name, scalar_of_dtype(result), parameters)


@lru_cache(maxsize=1024)
def parse_prototype(text: str) -> Prototype:
    """Read one declaration.

    Args:
        text: Such as `double hypot(double x, double y)`; a final semicolon is optional.

    Raises:
        PrototypeError: It is no C, not one declaration of a function, or needs what a ufunc cannot
            do.
    """
    header = Header(text.rstrip().rstrip(";") + ";")
    if len(header) != 1:
        raise PrototypeError(
            f"`{text}` declares {len(header)} functions; expected one, as in `double erf(double)`."
        )
    return header[next(iter(header))]


class Header(Mapping[str, Prototype]):
    """The functions that the text of a C header declares.

    Comments, preprocessor lines (which are not obeyed), `extern "C"`, attributes and bodies of
    functions are passed over. A declaration is translated when asked for, so that one function that
    cannot become a ufunc does no harm to the others.

    Args:
        text: The header.

    Raises:
        PrototypeError: The text is no C.
    """

    def __init__(self, text: str) -> None:
        from pycparser import c_ast, c_parser

        text_read = _without_dressing(text)
        used = sorted(TYPEDEFS.keys() & set(re.findall(r"\w+", text_read)))
        known = "".join(f"typedef int {name};" for name in used)
        try:
            tree = c_parser.CParser().parse(known + text_read)
        except (c_parser.ParseError, AssertionError) as error:
            where = str(error).partition(": ")[2] or str(error)
            shown = "the header" if "\n" in text else text
            raise PrototypeError(
                f"`{shown}` is no C declaration ({where}); write it as in `double erf(double)`."
            ) from None
        self._functions: dict[str, Any] = {}
        self._typedefs: dict[str, Any] = {}
        for node in tree.ext:
            declaration = node.decl if isinstance(node, c_ast.FuncDef) else node
            if isinstance(declaration, c_ast.Typedef) and declaration.name not in TYPEDEFS:
                self._typedefs[declaration.name] = declaration.type
            elif isinstance(getattr(declaration, "type", None), c_ast.FuncDecl):
                self._functions[declaration.name] = declaration.type

    def __getitem__(self, name: str) -> Prototype:
        """The prototype of one function.

        Raises:
            SymbolError: The header does not declare it.
            PrototypeError: It cannot become a ufunc.
        """
        from pycparser import c_ast

        if name not in self._functions:
            raise SymbolError(f"the header declares no function `{name}`; it has {list(self)}.")
        function = self._functions[name]
        nodes = function.args.params if function.args else []
        if any(isinstance(node, c_ast.EllipsisParam) for node in nodes):
            raise PrototypeError(
                f"`{name}` takes a variable number of arguments, which a ufunc cannot."
            )
        if any(isinstance(node, c_ast.ID) for node in nodes):  # C as it was before 1989
            _refuse(name, f"`{nodes[0].name}`, which is no type")
        found = [self._parameter(name, node.type) for node in nodes]
        parameters = tuple(one for one in found if one is not None)
        if len(parameters) != len(found) and len(found) != 1:  # `(void)` has no parameter
            _refuse(name, "void")
        result = self._parameter(name, function.type)
        if result and result.is_output:
            _refuse(name, f"{result.scalar.c} *")
        return Prototype(name, result.scalar if result else None, parameters)

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    def _parameter(self, function: str, node: Any) -> Parameter | None:
        """What a type means; `None` for `void`."""
        from pycparser import c_ast

        node = self._followed(node)
        if isinstance(node, c_ast.PtrDecl):
            target = self._followed(node.type)
            inner = self._parameter(function, target)
            is_const = "const" in [*getattr(target, "quals", []), *getattr(node.type, "quals", [])]
            if inner is None or inner.is_output or is_const:
                _refuse(function, "a pointer to const, to a pointer or to void")
            return Parameter(inner.scalar, is_output=True)
        words = getattr(getattr(node, "type", None), "names", None)
        if words is None:
            _refuse(function, "an array, a structure or a function")
        scalar = scalar_of_words(words)
        if scalar is None and words != ["void"]:
            _refuse(function, " ".join(words))
        return Parameter(scalar) if scalar else None

    def _followed(self, node: Any) -> Any:
        """The type behind a typedef of the header."""
        names = getattr(getattr(node, "type", None), "names", [])
        while len(names) == 1 and names[0] in self._typedefs:
            node = self._typedefs[names[0]]
            names = getattr(getattr(node, "type", None), "names", [])
        return node


def _refuse(function: str, found: str) -> NoReturn:
    raise PrototypeError(
        f"`{function}` passes {found}; libufunc passes real, complex, integer and boolean numbers, "
        "and takes pointers to them as outputs."
    )


def _without_dressing(text: str) -> str:
    """C that pycparser reads: no comments, directives, linkage, attributes or C99 spellings."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.MULTILINE)
    text, blocks = re.subn(r'extern\s*"C"\s*\{', "", text)
    if blocks:
        text = text.rstrip().removesuffix("}")
    text = re.sub(r'extern\s*"C"', "", text)
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", "", text)
    for spelling, standard in (("complex", "_Complex"), ("bool", "_Bool")):
        text = re.sub(rf"\b{spelling}\b", standard, text)
    return re.sub(r"\b__(restrict|const|inline|volatile)(?:__)?\b", r"\1", text)
