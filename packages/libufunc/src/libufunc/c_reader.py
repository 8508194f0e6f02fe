"""Reads the text of one declaration, by pycparser, into what `c_types` has for it.

pycparser reads ISO C. So what compilers and libraries add is taken off first: attributes, assembler
names, and macros that nobody has replaced, such as `ZEXTERN int ZEXPORT deflate OF((...))`. A word
that stands where a type must be, and that nothing declares, is read as an unknown type.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libufunc.c_types import CFunction, CParameter, CType
from libufunc.errors import PrototypeError
from libufunc.header_items import Item, closing
from libufunc.scalars import SCALARS, TYPEDEFS, WIDE_CHARACTERS, scalar_of_words

_TYPE_WORDS = """
void char short int long float double signed unsigned _Bool _Complex struct union enum
"""
_OTHER_WORDS = """
const volatile restrict extern static inline register typedef _Noreturn _Atomic auto
"""
_BASIC, _QUALIFIERS = frozenset(_TYPE_WORDS.split()), frozenset(_OTHER_WORDS.split())
_SPELLINGS = {
    **{f"__{word}{end}": word for word in ("restrict", "const", "inline", "volatile", "signed")
       for end in ("", "__")},
    "complex": "_Complex",
    "__complex__": "_Complex",
    "_Float32": "float",
    "_Float32x": "double",
    "_Float64": "double",
    **({"_Float64x": "long double"} if SCALARS["g"].bits > SCALARS["d"].bits else {}),
    "bool": "_Bool",
    "__extension__": "",
    "noexcept": "",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z_]\w*")


def clean(text: str) -> str:
    """C without what compilers add to it."""
    for name in (r"__attribute__|__attribute", r"__asm__|__asm|asm", r"__declspec", r"_Alignas"):
        while found := re.search(rf"\b(?:{name})\s*\(", text):
            text = text[: found.start()] + " " + text[closing(text, found.end() - 1) + 1 :]
    text = re.sub(r"\benum\b\s*\w*\s*\{[^}]*\}", " int ", text)  # its names are of no account
    text = re.sub(r"^\s*(?:[A-Z_][A-Z0-9_]*\s+)+(?=(?:typedef|extern|static|struct)\b)", "", text)
    return _WORD.sub(lambda found: _SPELLINGS.get(found[0], found[0]), text).strip()


def function_name(text: str) -> str | None:
    """The name of the function that a declaration declares; `None` where it declares another thing.

    Args:
        text: A declaration, cleaned.
    """
    if re.match(r"\s*typedef\b", text) or "=" in text.partition("(")[0]:
        return None
    text = _without_braces(text)
    found = re.search(r"([A-Za-z_]\w*)\s*\)?\s*\(", text)
    if not found or found[1] in _BASIC | _QUALIFIERS:
        # `void (*signal(int, void (*)(int)))(int)`, a function that returns a function's address.
        found = re.search(r"\(\s*\*\s*([A-Za-z_]\w*)\s*\(", text)
        return found[1] if found else None
    before = _WORD.findall(text[: found.start()])
    if text[found.end() :].lstrip().startswith("(") and len(before) > 1:  # f OF((...))
        inner = closing(text, found.end() - 1)
        if text[found.end() : inner].strip().endswith(")"):
            return before[-1]
    return found[1] if before or found.start() == 0 else None


def _of_name(nodes: list[Any], name: str) -> Any:
    """The declaration of a name, among those that one statement makes."""
    return next((node for node in nodes if node.name == name), nodes[0])


def _without_braces(text: str) -> str:
    """A declaration without the members of the structures in it."""
    while "{" in text:
        start = text.index("{")
        text = f"{text[:start]} {text[closing(text, start) + 1 :]}"
    return text


def parse(text: str, typedefs: Mapping[str, object] | set[str]) -> list[Any]:
    """The syntax trees of what one statement declares, at least one.

    Args:
        text: A declaration, cleaned, without its semicolon.
        typedefs: Names that are types.

    Raises:
        PrototypeError: It is no C.
    """
    from pycparser import c_ast, c_parser

    words = _WORD.findall(text)
    known = {word for word in words if word in typedefs or word in TYPEDEFS}
    if words[:1] == ["typedef"]:
        known -= declared_types(text)
    problem = ""
    for attempt in (text, _without_macros(text, known)):
        types = sorted(known | _unknown_types(attempt, known))
        before = "".join(f"typedef int {name};" for name in types)
        try:
            tree = c_parser.CParser().parse(f"{before}{attempt};")
        except (c_parser.ParseError, AssertionError, AttributeError) as error:
            problem = problem or str(error).partition(": ")[2] or str(error)
            continue
        nodes = tree.ext[len(types) :]
        if nodes and all(isinstance(node, c_ast.Decl | c_ast.Typedef) for node in nodes):
            return nodes
    raise PrototypeError(problem or "nothing is declared")


def declared_types(text: str) -> set[str]:
    """The names that a typedef declares."""
    text = _without_braces(text)
    if found := re.search(r"\(\s*\*\s*(?:const\s+)?(\w+)\s*\)", text):  # of a function's address
        return {found[1]}
    ends = [part.partition("[")[0] for part in text.partition("(")[0].split(",")]
    return {words[-1] for words in map(_WORD.findall, ends) if words}


def _without_macros(text: str, known: set[str]) -> str:
    """A function's declaration without words that a preprocessor would have replaced."""
    name = function_name(text)
    if name is None:
        return text
    found = re.search(rf"\b{re.escape(name)}\b\s*\)?\s*(\w+\s*)?\(", text)
    assert found  # noqa: S101 - the name was found before one
    start = found.end() - 1
    end = closing(text, start)
    if re.search(r"[^\w\s*()]", text[: found.start()]) or re.search(r"[^\w\s(),]", text[end + 1 :]):
        return text  # that is no macro
    # `void FAR *` has a macro, `const FILE *` has none.
    inside = re.sub(
        r"\b(?!const\b|volatile\b)(\w+)\s+[A-Z][A-Z0-9_]*\s*(?=\*)", r"\1 ", text[start : end + 1]
    )
    if found[1]:  # `OF((...))`
        inside = inside.strip()[1:-1].strip()
    words = _WORD.findall(text[: found.start()])
    if any(word in _BASIC or word in known for word in words):
        words = [w for w in words if w in _BASIC | _QUALIFIERS or w in known]
    else:  # the last word that is no macro by its looks
        types = [w for w in words if not w.isupper() and w not in _QUALIFIERS] or words
        words = [w for w in words if w in _QUALIFIERS or w == types[-1]] if types else words
    stars = "*" * text[: found.start()].count("*")
    return f"{' '.join(words)} {stars} {name}{inside}"


def _unknown_types(text: str, known: set[str]) -> set[str]:
    """Words that stand where a type must, though nothing declares them."""
    found = set()
    for part in re.split(r"[(),;{}]", text):
        if part.lstrip().startswith("*"):
            continue
        words = [w for w in _WORD.findall(part) if w not in _QUALIFIERS]
        is_declared = any(w in _BASIC or w in known for w in words)
        alone = len(words) == 1 and "*" not in part and part is text.split("(", maxsplit=1)[0]
        if words and not is_declared and not alone and not part.strip()[0].isdigit():
            found.add(words[0])
    return found - {function_name(text)}


class Resolver:
    """Follows typedefs and tags through the declarations of a header.

    Args:
        typedefs: Items that declare each name of a type.
        tags: Items that define each structure.
    """

    def __init__(self, typedefs: Mapping[str, Item], tags: Mapping[str, Item]) -> None:
        self._items, self._tags = typedefs, tags
        self._kept: dict[str, CType] = {}

    def function(self, text: str, name: str) -> CFunction:
        """What a declaration says of the function of that name.

        Raises:
            PrototypeError: It is no C, or declares no function.
        """
        from pycparser import c_ast

        node = _of_name(parse(clean(text), self._items), name)
        if not isinstance(node.type, c_ast.FuncDecl):
            raise PrototypeError("it declares no function")
        return self.of_function(node.name, node.type)

    def of_function(self, name: str, node: Any) -> CFunction:
        """The function of a syntax tree."""
        from pycparser import c_ast

        nodes = list(node.args.params) if node.args else []
        is_variadic = bool(nodes) and isinstance(nodes[-1], c_ast.EllipsisParam)
        parameters = []
        for one in nodes[: len(nodes) - is_variadic]:
            if isinstance(one, c_ast.ID):  # C as it was before 1989
                parameters.append(CParameter("", CType("unknown", name=one.name)))
            else:
                parameters.append(CParameter(one.name or "", _passed(self.type(one.type))))
        if [p.type.kind for p in parameters] == ["void"]:
            parameters = []
        return CFunction(name, _passed(self.type(node.type)), tuple(parameters), is_variadic)

    def type(self, node: Any) -> CType:
        """The type of a syntax tree, typedefs followed."""
        from pycparser import c_ast

        if isinstance(node, c_ast.PtrDecl | c_ast.ArrayDecl):
            is_array = isinstance(node, c_ast.ArrayDecl)
            is_const = not is_array and "const" in node.quals
            target = self.type(node.type)
            return CType("pointer", target=target, is_const=is_const, is_array=is_array)
        if isinstance(node, c_ast.FuncDecl):
            return CType("function", name=str(self.type(node.type)))
        if isinstance(node, c_ast.TypeDecl):
            found = self.type(node.type)
            return replace(found, is_const=True) if "const" in node.quals else found
        if isinstance(node, c_ast.Struct | c_ast.Union):
            return self._structure(node)
        return self._named(["int"] if isinstance(node, c_ast.Enum) else node.names)

    def _named(self, words: list[str]) -> CType:
        """The type of C's specifiers, or of a typedef's name."""
        name = words[0] if len(words) == 1 else ""
        if name in self._items:
            if name not in self._kept:
                self._kept[name] = CType("unknown", name=name)  # where it is its own typedef
                self._kept[name] = self._typedef(name)
            return self._kept[name]
        scalar = scalar_of_words(words)
        if scalar:
            return CType("scalar", scalar=scalar, name=name if name in WIDE_CHARACTERS else "")
        if name in {"void", "char"}:
            return CType("void" if name == "void" else "char")
        return CType("unknown", name=" ".join(words))

    def _typedef(self, name: str) -> CType:
        try:
            nodes = parse(clean(self._items[name].text), self._items)
            found = self.type(_of_name(nodes, name).type)
            return replace(found, name=name) if name in WIDE_CHARACTERS else found
        except PrototypeError:
            return CType("unknown", name=name)

    def _structure(self, node: Any) -> CType:
        """A structure, with its members where they are numbers; of a union nothing is known."""
        from pycparser import c_ast

        name = node.name or ""
        if node.decls is None and name in self._tags:
            key = f"struct {name}"
            if key not in self._kept:
                self._kept[key] = CType("structure", name=name)  # where it points to itself
                try:
                    whole = parse(clean(self._tags[name].text), self._items)
                    self._kept[key] = self.type(whole[0].type)
                except PrototypeError:
                    pass
            return self._kept[key]
        fields = None
        is_union = isinstance(node, c_ast.Union)
        if node.decls and not is_union and not any(one.bitsize for one in node.decls):
            fields = tuple((one.name or "", self.type(one.type)) for one in node.decls)
        return CType("structure", name=name, fields=fields)


def _passed(found: CType) -> CType:
    """The type by which C passes a value: a function by its address, and `const` is no matter."""
    if found.kind == "function":
        return CType("pointer", target=found)
    return replace(found, is_const=False)
