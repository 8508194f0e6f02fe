"""Writes loops in C: what `c_loops` gives to the compiler.

A parameter is one of these, by its `way`:

    value, address          an input, by itself or by the address of a copy
    string                  an input that is an address itself
    output                  room for an output, stored after the call
    either with dimensions  an array: NumPy's own memory if it lies as C expects, else a copy
    size                    how long a dimension of the arrays is
    fixed                   a value from the loop's block of slots
"""

from dataclasses import dataclass, field

from libufunc.parameters import Parameter
from libufunc.plans import CALLED_ERROR, FLAG, REFUSAL, SLOT_BYTES, Plan, limits
from libufunc.prototypes import Prototype
from libufunc.scalars import SCALARS, Scalar

HEAD = "void loop(char **args, intptr_t *dims, intptr_t *steps, char *slots)"
_TARGETS = {"b": "sse2", "c": "avx", "d": "avx2", "e": "avx512f"}
_REFUSE = """
static void refuse(char *slots) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), *(PyObject **)(slots + %d));
    PyGILState_Release(state);
}""".strip()


def write_c(plan: Plan) -> str:
    """The loop in C.

    Args:
        plan: What to compile.
    """
    return _vector_loop(plan) if plan.vector else _loop(plan)


@dataclass(slots=True)
class _Parts:
    """The pieces of a loop, in the order in which they stand in it."""

    kinds: list[str] = field(default_factory=list)  # of the function's parameters
    setup: list[str] = field(default_factory=list)
    before: list[str] = field(default_factory=list)  # the call, for each element
    arguments: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    end: list[str] = field(default_factory=list)


def _loop(plan: Plan) -> str:
    prototype, parts = plan.prototype, _Parts()
    taken, position = 0, len(plan.arrays)
    operands = range(len(plan.types) - 2)
    result = _structure(prototype.results) if prototype.returns_structure else None
    returned = result or (prototype.result.c if prototype.result else "void")
    if prototype.results:
        parts.after += _stores("result", prototype.results, position, members=bool(result))
        position += len(prototype.results)
    for k, parameter in enumerate(prototype.parameters):
        if parameter.way in {"fixed", "size"}:
            _constant(parts, parameter, k)
        elif parameter.core:
            is_input = parameter.way == "address"
            _array(parts, plan, parameter, taken if is_input else position)
            taken, position = taken + is_input, position + (not is_input)
        elif parameter.is_output:
            _output(parts, parameter, position, k)
            position += len(parameter.scalars)
        else:
            _input(parts, parameter, plan.arrays[taken], taken)
            taken += 1
    call = f"f({', '.join(parts.arguments)});"
    signature = f"{returned} (*f)({', '.join(parts.kinds)})"
    pointer = signature.replace("(*f)", "(**)")
    return "\n".join(
        [
            "#include <stdint.h>",
            "#include <stdlib.h>",
            "#include <string.h>",
            *([_GUARDS % (CALLED_ERROR * SLOT_BYTES)] if plan.errors else []),
            *_definitions(prototype),
            _REFUSE % (REFUSAL * SLOT_BYTES),
            f"{HEAD} {{",
            f"{signature} = *({pointer})slots;",
            *[f"char *p{k} = args[{k}];" for k in operands],
            *parts.setup,
            "for (intptr_t n = dims[0], i = 0; i < n; i++) {",
            *parts.before,
            *_called(plan, f"{returned} result" if prototype.results else "", call),
            *parts.after,
            *(["}"] if plan.errors == "nan" else []),
            *[f"p{k} += steps[{k}];" for k in operands],
            "}",
            "end: ;",
            *parts.end,
            "}",
        ]
    )


# For loops in C++: what makes an exception of a message, once the function has failed.
_GUARDS = """
#include <cfenv>
#include <exception>
#include <limits>
#if __has_include(<cxxabi.h>)
#include <cxxabi.h>
#endif
#define _Bool bool
static const char *keep(const char *message) {
    static thread_local char kept[512];
    strncpy(kept, message, sizeof kept - 1);
    return kept;
}
// What is not of C++ is let go of, and never freed: Rust ends the process where its panic is freed.
static const char *stranger(void) {
    if (std::current_exception()) return "a C++ exception that is no std::exception";
#if __has_include(<cxxabi.h>)
    *(void **)abi::__cxa_get_globals() = nullptr;
#endif
    return "a panic of Rust, or an exception of another language; Rust prints its words to stderr";
}
static void fail(char *slots, const char *message) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *made = PyObject_CallFunction(*(PyObject **)(slots + %d), "y", message);
    if (made) PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), made);
    Py_XDECREF(made);
    PyGILState_Release(state);
}""".strip()


def _called(plan: Plan, result: str, call: str) -> list[str]:
    """The call; guarded, where its errors are to be caught."""
    if not plan.errors:
        return [f"{result} = {call}" if result else call]
    flag = f"(**(int **)(slots + {FLAG * SLOT_BYTES}))"
    return [
        f"const char *message = 0; int failed = 0; {flag} = 0;",
        f"{result}{{}};" if result else "",
        f"try {{ {'result = ' if result else ''}{call} }}",
        "catch (const std::exception &e) { failed = 1; message = keep(e.what()); }",
        "catch (...) { failed = 1; message = stranger(); }",
        f"if ({flag}) failed = 1;",
        *_failed(plan),
    ]


def _failed(plan: Plan) -> list[str]:
    """What follows a call that failed."""
    if plan.errors == "raise":
        return ["if (failed) { fail(slots, message); goto end; }"]
    first = len(plan.arrays)
    stores = [
        f"*({SCALARS[char].c} *)p{first + j} = {_no_number(char)};"
        for j, char in enumerate(plan.prototype.outputs)
    ]
    return ["if (failed) {", "feraiseexcept(FE_INVALID);", *stores, "} else {"]


def _no_number(char: str) -> str:
    """NaN, or 0 for integers."""
    if SCALARS[char].kind not in "fc":
        return "0"
    real = {"F": "float", "D": "double", "G": "long double"}.get(char, SCALARS[char].c)
    return f"std::numeric_limits<{real}>::quiet_NaN()"


def _input(parts: _Parts, parameter: Parameter, char: str, position: int) -> None:
    """One number, converted where the array is wider."""
    c = "const char *" if parameter.way == "string" else parameter.scalar.c
    parts.kinds.append(c + " *" * (parameter.way == "address"))
    parts.before += _read(char, parameter.scalar, position=position)
    parts.before.append(f"{c} a{position} = ({c})v{position};")
    parts.arguments.append(f"{'&' * (parameter.way == 'address')}a{position}")


def _output(parts: _Parts, parameter: Parameter, position: int, k: int) -> None:
    """Room for one number or structure, which is zero before the call."""
    c = _structure(parameter.scalars) if parameter.is_structure else parameter.scalar.c
    parts.kinds.append(f"{c} *")
    parts.before += [f"{c} slot{k};", f"memset(&slot{k}, 0, sizeof slot{k});"]
    parts.arguments.append(f"&slot{k}")
    members = parameter.is_structure
    parts.after += _stores(f"slot{k}", parameter.scalars, position, members=members)


def _constant(parts: _Parts, parameter: Parameter, k: int) -> None:
    """What is the same for all elements: a fixed value, or how long a dimension is."""
    c = parameter.scalar.c if parameter.scalars else "void *"
    if parameter.way == "size":
        place = f"dims[{parameter.index + 1}]"
        value = f"({c}){place}"
        wrong = f"({c}){place} < 0 || (intptr_t)({c}){place} != {place}"
        parts.setup.append(f"if ({wrong}) {{ refuse(slots); return; }}")
    else:
        value = f"*({c} *)(slots + {SLOT_BYTES * parameter.index})"
    parts.setup.append(f"{c} c{k} = {value};")
    parts.kinds.append(c + " *" * parameter.is_by_address)
    parts.arguments.append("&" * parameter.is_by_address + f"c{k}")


def _array(parts: _Parts, plan: Plan, parameter: Parameter, position: int) -> None:
    """An array: the operand's own memory where it is dense, and a copy where it is not."""
    c, p, name = parameter.scalar.c, position, f"b{position}"
    first = len(plan.types) - 2 + plan.prototype.core_offset(p)
    sizes = [f"dims[{dimension + 1}]" for dimension in parameter.core]
    strides = [f"steps[{first + j}]" for j in range(len(sizes))]
    total = " * ".join(sizes)
    widths = [" * ".join([f"(intptr_t)sizeof({c})", *sizes[j + 1 :]]) for j in range(len(sizes))]
    triples = zip(sizes, strides, widths, strict=True)
    dense = [f"({size} <= 1 || {stride} == {width})" for size, stride, width in triples]
    is_dense = "0" if parameter.is_copied else " && ".join(dense)
    parts.kinds.append(f"{c} *")
    parts.arguments.append(f"m{p}")
    parts.setup += [
        f"intptr_t t{p} = {total};",
        f"{c} *{name} = {is_dense} ? 0 : ({c} *)malloc(t{p} * sizeof({c}) + 1);",
    ]
    parts.before.append(f"{c} *m{p} = {name} ? {name} : ({c} *)p{p};")
    loops = [f"for (intptr_t j{k} = 0; j{k} < {size}; j{k}++)" for k, size in enumerate(sizes)]
    offset = " + ".join(f"j{k} * {stride}" for k, stride in enumerate(strides))
    far = f"*({c} *)(p{p} + {offset})"
    count = f"{{ intptr_t j = 0; {' '.join(loops)} "
    if parameter.way == "address":
        parts.before.append(f"if ({name}) {count} {name}[j++] = {far}; }}")
    else:
        parts.before.append(f"memset(m{p}, 0, t{p} * sizeof({c}));")
        parts.after.append(f"if ({name}) {count} {far} = {name}[j++]; }}")
    parts.end.append(f"free({name});")


def _definitions(prototype: Prototype) -> list[str]:
    """The structures that a prototype names."""
    used = [p.scalars for p in prototype.parameters if p.is_structure]
    used += [prototype.results] if prototype.returns_structure else []
    return [
        f"{_structure(one)} {{ {' '.join(f'{s.c} m{j};' for j, s in enumerate(one))} }};"
        for one in dict.fromkeys(used)
    ]


def _structure(scalars: tuple[Scalar, ...]) -> str:
    """A structure of these members, the same type wherever it is written."""
    tag = "s_" + "_".join(f"{ord(scalar.char):d}" for scalar in scalars)
    return f"struct {tag}"


def _stores(place: str, scalars: tuple[Scalar, ...], position: int, *, members: bool) -> list[str]:
    """Storing of outputs."""
    lines = []
    for j, scalar in enumerate(scalars):
        value = f"{place}.m{j}" if members else place
        lines.append(f"*({scalar.c} *)p{position + j} = {value};")
    return lines


def _read(char: str, scalar: Scalar, *, position: int) -> list[str]:
    """Reading of one input, and the refusal of a wide integer that does not fit."""
    wide = SCALARS[char]
    lines = [f"{wide.c} v{position} = *({wide.c} *)p{position};"]
    if char != scalar.char:
        suffix = "ULL" if wide.kind == "u" else "LL"
        least, greatest = limits(char, scalar)
        outside = [] if least is None else [f"v{position} < {least + 1}{suffix} - 1"]
        outside += [] if greatest is None else [f"v{position} > {greatest}{suffix}"]
        if outside:
            lines.append(f"if ({' || '.join(outside)}) {{ refuse(slots); goto end; }}")
    return lines


def _vector_loop(plan: Plan) -> str:
    assert plan.vector  # noqa: S101 - the caller has looked
    lanes, real = plan.vector.lanes, SCALARS[plan.arrays[0]].c
    inputs, last = range(len(plan.arrays)), len(plan.arrays)
    operands = range(last + 1)
    kinds = ", ".join("vec" for _ in inputs)
    dense = " && ".join(f"steps[{k}] == sizeof({real})" for k in operands)
    gathered = [f"x{k}[j] = *({real} *)(p{k} + (i + j < n ? j : 0) * steps[{k}]);" for k in inputs]
    return "\n".join(
        [
            "#include <stdint.h>",
            "#include <string.h>",
            f"typedef {real} vec __attribute__((vector_size({lanes} * sizeof({real}))));",
            f'__attribute__((target("{_TARGETS[plan.vector.isa]}")))',
            f"{HEAD} {{",
            f"vec (*f)({kinds}) = *(vec (**)({kinds}))slots;",
            f"intptr_t n = dims[0], whole = {dense};",
            f"for (intptr_t i = 0; i < n; i += {lanes}) {{",
            f"vec {', '.join(f'x{k}' for k in operands)};",
            *[f"char *p{k} = args[{k}] + i * steps[{k}];" for k in operands],
            f"if (whole && n - i >= {lanes}) {{",
            *[f"memcpy(&x{k}, p{k}, sizeof(vec));" for k in inputs],
            f"x{last} = f({', '.join(f'x{k}' for k in inputs)});",
            f"memcpy(p{last}, &x{last}, sizeof(vec));",
            "} else {",
            f"for (int j = 0; j < {lanes}; j++) {{",
            *gathered,
            "}",
            f"x{last} = f({', '.join(f'x{k}' for k in inputs)});",
            f"for (int j = 0; j < {lanes} && i + j < n; j++)",
            f"*({real} *)(p{last} + j * steps[{last}]) = x{last}[j];",
            "}",
            "}",
            "}",
        ]
    )
