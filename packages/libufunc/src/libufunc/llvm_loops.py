"""Loops compiled by LLVM, through llvmlite, which comes with numba.

The loop is written as LLVM's own language, a page for each signature, and turned into machine code
in memory: about 3 ms a signature, no file, no compiler on the machine.

Real numbers, integers and pointers are passed to LLVM as C has them. Complex numbers are passed as
the System V ABI for x86-64 wants them: `float _Complex` packed into one vector register, `double
_Complex` as two numbers, `long double _Complex` in memory. On other processors they need the other
way, a C compiler.

Source: LLVM Language Reference; System V ABI, AMD64 supplement, 3.2.3.
"""

import ctypes
import platform
import sys
import threading
from typing import Any

from libufunc.errors import NoLoopError
from libufunc.parameters import Parameter
from libufunc.plans import REFUSAL, SLOT_BYTES, Plan, limits
from libufunc.scalars import SCALARS, Scalar

_REAL = {"f": "float", "d": "double", "F": "float", "D": "double"}
_FEATURES = {"b": "+sse2", "c": "+avx", "d": "+avx2", "e": "+avx512f"}
_WORD = f"i{8 * ctypes.sizeof(ctypes.c_ssize_t)}"


def _python(name: str) -> str:
    """The address of a function of Python's C interface, as LLVM writes it."""
    address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    return f"inttoptr ({_WORD} {address} to ptr)"


# Sets an exception that Python raises in this thread as soon as it is back from the call.
_REFUSAL = [
    "refused:",
    f"%at_refusal = getelementptr i8, ptr %slots, i32 {REFUSAL * SLOT_BYTES}",
    "%refusal = load ptr, ptr %at_refusal",
    f"%state = call i32 {_python('PyGILState_Ensure')}()",
    f"%thread = call i64 {_python('PyThread_get_thread_ident')}()",
    f"call i32 {_python('PyThreadState_SetAsyncExc')}(i64 %thread, ptr %refusal)",
    f"call void {_python('PyGILState_Release')}(i32 %state)",
    "br label %done",
]
_kept: dict[str, Any] = {}  # engines by key of plan: their machine code must stay
_lock = threading.Lock()


def is_installed() -> bool:
    """Whether llvmlite can be imported."""
    from importlib.util import find_spec

    return find_spec("llvmlite") is not None


def compile_loop(plan: Plan) -> int:
    """Compile a loop, once in a process.

    Returns:
        Its address, valid for the rest of the process.

    Raises:
        NoLoopError: How this processor passes complex numbers is not known here, or llvmlite is too
            old.
    """
    import llvmlite
    import llvmlite.binding as llvm

    with _lock:
        if plan.key not in _kept:
            text = write_ir(plan, machine=platform.machine())
            llvm.initialize_native_target()
            llvm.initialize_native_asmprinter()
            machine = llvm.Target.from_default_triple().create_target_machine(opt=2, jit=True)
            try:
                module = llvm.parse_assembly(text)
            except RuntimeError as error:  # before 0.45 llvmlite speaks another dialect
                raise NoLoopError(
                    f"llvmlite {llvmlite.__version__} cannot read the loop; 0.45 or newer can."
                ) from error
            module.verify()
            engine = llvm.create_mcjit_compiler(module, machine)
            engine.finalize_object()
            _kept[plan.key] = engine
        return _kept[plan.key].get_function_address("loop")


def write_ir(plan: Plan, *, machine: str) -> str:
    """The loop in LLVM's language.

    Args:
        plan: What to compile.
        machine: As `platform.machine()` tells it.

    Raises:
        NoLoopError: As for `compile_loop`.
    """
    scalars = [s for p in plan.prototype.parameters for s in p.scalars] + list(
        plan.prototype.results
    )
    if any(p.core or p.way in {"size", "fixed"} for p in plan.prototype.parameters):
        raise NoLoopError("arrays and fixed values are passed by loops in C alone.")
    if plan.errors:
        raise NoLoopError("exceptions of C++ are caught by loops in C++ alone.")
    known_abi = machine in {"x86_64", "AMD64"} and sys.platform != "win32"
    if not known_abi and any(scalar.kind == "c" for scalar in scalars):
        raise NoLoopError(f"how {machine} passes complex numbers is known to C compilers only.")
    return (_Vectors if plan.vector else _Writer)(plan, long_double=_long_double(machine)).text()


def _long_double(machine: str) -> str:
    """What `long double` is: as wide as `double`, x87's 80 bits, or 128 bits."""
    if SCALARS["g"].bits == SCALARS["d"].bits:
        return "double"
    return "x86_fp80" if machine in {"x86_64", "AMD64", "i686"} else "fp128"


class _Writer:
    """Writes the loop for one plan, an element a time."""

    def __init__(self, plan: Plan, *, long_double: str) -> None:
        self.plan = plan
        self.real = {**_REAL, "g": long_double, "G": long_double}
        self.setup: list[str] = []
        self.body: list[str] = []
        self.stores: list[str] = []

    def type(self, scalar: Scalar) -> str:
        """The type in memory."""
        if scalar.kind == "c":
            real = self.real[scalar.char]
            return f"{{ {real}, {real} }}"
        return self.real.get(scalar.char) or f"i{scalar.bits}"

    def text(self) -> str:
        """The whole module."""
        call = self.call()
        self.body.append(f"%result = {call}" if self.plan.prototype.results else call)
        operands = range(len(self.plan.types) - 2)
        entry = ["%function = load ptr, ptr %slots", f"%n = load {_WORD}, ptr %dims"]
        for k in operands:
            entry += [
                f"%at_step{k} = getelementptr {_WORD}, ptr %steps, i32 {k}",
                f"%step{k} = load {_WORD}, ptr %at_step{k}",
                f"%at_base{k} = getelementptr ptr, ptr %args, i32 {k}",
                f"%base{k} = load ptr, ptr %at_base{k}",
            ]
        heads = [f"%i = phi {_WORD} [ 0, %entry ], [ %next, %turn ]"]
        heads += [f"%p{k} = phi ptr [ %base{k}, %entry ], [ %q{k}, %turn ]" for k in operands]
        tails = [f"%q{k} = getelementptr i8, ptr %p{k}, {_WORD} %step{k}" for k in operands]
        lines = [
            "define void @loop(ptr %args, ptr %dims, ptr %steps, ptr %slots) {",
            "entry:",
            *entry,
            *self.setup,
            f"%some = icmp sgt {_WORD} %n, 0",
            "br i1 %some, label %body, label %done",
            "body:",
            *heads,
            *self.body,
            *self.stores,
            "br label %turn",
            "turn:",
            *tails,
            f"%next = add {_WORD} %i, 1",
            f"%more = icmp slt {_WORD} %next, %n",
            "br i1 %more, label %body, label %done",
            *_REFUSAL,
            "done:",
            "ret void",
            "}",
        ]
        return "\n".join(lines)

    def call(self) -> str:
        """The call, after what prepares its arguments."""
        prototype = self.plan.prototype
        arguments, taken, position = [], 0, len(self.plan.arrays) + len(prototype.results)
        if prototype.returns_structure:
            raise NoLoopError("how a structure is returned is known to C compilers only.")
        if prototype.result:
            kind = self.passed(prototype.result)
            self.stores.append(f"store {kind} %result, ptr %p{len(self.plan.arrays)}, align 1")
        for k, parameter in enumerate(prototype.parameters):
            if parameter.is_output:
                arguments.append(self.slot(parameter, position=position, k=k))
                position += len(parameter.scalars)
            else:
                arguments.append(self.argument(parameter, position=taken))
                taken += 1
        returned = self.passed(prototype.result) if prototype.result else "void"
        return f"call {returned} %function({', '.join(arguments)})"

    def passed(self, scalar: Scalar) -> str:
        """The type as a result, and as an argument unless that goes by memory."""
        return "<2 x float>" if scalar.char == "F" else self.type(scalar)

    def slot(self, parameter: Parameter, *, position: int, k: int) -> str:
        """A pointer to a fresh zero, whose value is stored after the call."""
        kinds = [self.type(scalar) for scalar in parameter.scalars]
        room = f"{{ {', '.join(kinds)} }}"
        self.setup.append(f"%slot{k} = alloca {room}, align 16")
        self.body.append(f"store {room} zeroinitializer, ptr %slot{k}")
        for j, kind in enumerate(kinds):
            self.stores += [
                f"%at{k}_{j} = getelementptr {room}, ptr %slot{k}, i32 0, i32 {j}",
                f"%out{k}_{j} = load {kind}, ptr %at{k}_{j}",
                f"store {kind} %out{k}_{j}, ptr %p{position + j}, align 1",
            ]
        return f"ptr %slot{k}"

    def argument(self, parameter: Parameter, *, position: int) -> str:
        """An input as the ABI passes it."""
        value, scalar = f"%v{position}", parameter.scalar
        char = scalar.char
        array = SCALARS[self.plan.arrays[position]]
        if parameter.way == "address":
            return self.address(array, scalar, position=position)
        if char == "F":
            self.body.append(f"{value} = load <2 x float>, ptr %p{position}, align 1")
            return f"<2 x float> {value}"
        if char == "G":
            kind = self.type(scalar)
            self.setup.append(f"%copy{position} = alloca {kind}, align 16")
            self.body += [
                f"{value} = load {kind}, ptr %p{position}, align 1",
                f"store {kind} {value}, ptr %copy{position}, align 16",
            ]
            return f"ptr byval({kind}) align 16 %copy{position}"
        self.body.append(f"{value} = load {self.type(array)}, ptr %p{position}, align 1")
        if char == "D":
            for part in (0, 1):
                self.body.append(
                    f"{value}_{part} = extractvalue {self.type(scalar)} {value}, {part}"
                )
            return f"double {value}_0, double {value}_1"
        value = self.fitting(value, array, scalar)
        extension = {"i": " signext", "u": " zeroext", "b": " zeroext"}.get(scalar.kind, "")
        return f"{self.type(scalar)}{extension} {value}"

    def address(self, array: Scalar, scalar: Scalar, *, position: int) -> str:
        """The address of a copy of an input."""
        value, kind = f"%v{position}", self.type(scalar)
        self.setup.append(f"%copy{position} = alloca {kind}, align 16")
        self.body.append(f"{value} = load {self.type(array)}, ptr %p{position}, align 1")
        self.body.append(f"store {kind} {self.fitting(value, array, scalar)}, ptr %copy{position}")
        return f"ptr %copy{position}"

    def fitting(self, value: str, array: Scalar, scalar: Scalar) -> str:
        """The value in the C type; what does not fit ends the loop."""
        if array == scalar:
            return value
        wide, sign = self.type(array), "u" if array.kind == "u" else "s"
        pairs = zip(("lt", "gt"), limits(array.char, scalar), strict=True)
        for comparison, bound in ((c, b) for c, b in pairs if b is not None):
            self.body += [
                f"{value}_{comparison} = icmp {sign}{comparison} {wide} {value}, {bound}",
                f"br i1 {value}_{comparison}, label %refused, label %{value[1:]}_not_{comparison}",
                f"{value[1:]}_not_{comparison}:",
            ]
        if array.bits == scalar.bits:
            return value
        self.body.append(f"{value}_c = trunc {wide} {value} to {self.type(scalar)}")
        return f"{value}_c"


class _Vectors(_Writer):
    """Writes a loop that calls a function of a vector ABI, `lanes` elements at a time.

    What is not contiguous, and the rest at the end, is gathered into a vector first. Lanes beyond
    the end repeat the first element of the rest, which raises no flag of its own.
    """

    def text(self) -> str:
        """The whole module."""
        assert self.plan.vector  # noqa: S101 - the caller has chosen this class by it
        self.lanes = self.plan.vector.lanes
        self.scalar = self.real[self.plan.arrays[0]]
        self.kind = f"<{self.lanes} x {self.scalar}>"
        self.inputs, self.last = range(len(self.plan.arrays)), len(self.plan.arrays)
        self.operands = range(self.last + 1)
        lines = [
            "define void @loop(ptr %args, ptr %dims, ptr %steps, ptr %slots) #0 {",
            *self.entry(),
            *self.chunk(),
            *self.whole(),
            *self.gather(),
            *self.spread(),
            "done:",
            "ret void",
            "}",
            f'attributes #0 = {{ "target-features"="{_FEATURES[self.plan.vector.isa]}" }}',
        ]
        return "\n".join(lines)

    def entry(self) -> list[str]:
        """Room for a vector of each operand, and whether all operands are dense."""
        size = SCALARS[self.plan.arrays[0]].bits // 8
        lines = [
            "entry:",
            "%function = load ptr, ptr %slots",
            f"%n = load {_WORD}, ptr %dims",
            *[f"%room{k} = alloca {self.kind}, align 64" for k in self.operands],
        ]
        for k in self.operands:
            lines += [
                f"%at_step{k} = getelementptr {_WORD}, ptr %steps, i32 {k}",
                f"%step{k} = load {_WORD}, ptr %at_step{k}",
                f"%at_base{k} = getelementptr ptr, ptr %args, i32 {k}",
                f"%base{k} = load ptr, ptr %at_base{k}",
                f"%dense{k} = icmp eq {_WORD} %step{k}, {size}",
            ]
        lines.append("%all0 = and i1 %dense0, %dense0")
        lines += [f"%all{k} = and i1 %all{k - 1}, %dense{k}" for k in self.operands if k]
        return [*lines, "br label %head"]

    def chunk(self) -> list[str]:
        """The elements of one turn: a whole vector side by side, or what has to be gathered."""
        lines = [
            "head:",
            f"%i = phi {_WORD} [ 0, %entry ], [ %next, %whole ], [ %next, %spread ]",
            f"%left = sub {_WORD} %n, %i",
            f"%more = icmp sgt {_WORD} %left, 0",
            "br i1 %more, label %chunk, label %done",
            "chunk:",
            f"%next = add {_WORD} %i, {self.lanes}",
        ]
        for k in self.operands:
            lines += [
                f"%offset{k} = mul {_WORD} %i, %step{k}",
                f"%p{k} = getelementptr i8, ptr %base{k}, {_WORD} %offset{k}",
            ]
        return [
            *lines,
            f"%full = icmp sge {_WORD} %left, {self.lanes}",
            f"%fast = and i1 %full, %all{self.last}",
            "br i1 %fast, label %whole, label %gather",
        ]

    def whole(self) -> list[str]:
        """The call for a vector that lies in memory as it is."""
        arguments = ", ".join(f"{self.kind} %x{k}" for k in self.inputs)
        return [
            "whole:",
            *[f"%x{k} = load {self.kind}, ptr %p{k}, align 1" for k in self.inputs],
            f"%r = call {self.kind} %function({arguments})",
            f"store {self.kind} %r, ptr %p{self.last}, align 1",
            "br label %head",
        ]

    def gather(self) -> list[str]:
        """The call for elements that are gathered into a vector first."""
        lines = [
            "gather:",
            f"%j = phi {_WORD} [ 0, %chunk ], [ %j1, %gather ]",
            f"%inside = icmp slt {_WORD} %j, %left",
            f"%from = select i1 %inside, {_WORD} %j, {_WORD} 0",
            f"%j1 = add {_WORD} %j, 1",
        ]
        for k in self.inputs:
            lines += [
                f"%jump{k} = mul {_WORD} %from, %step{k}",
                f"%src{k} = getelementptr i8, ptr %p{k}, {_WORD} %jump{k}",
                f"%one{k} = load {self.scalar}, ptr %src{k}, align 1",
                f"%to{k} = getelementptr {self.scalar}, ptr %room{k}, {_WORD} %j",
                f"store {self.scalar} %one{k}, ptr %to{k}",
            ]
        gathered = ", ".join(f"{self.kind} %y{k}" for k in self.inputs)
        return [
            *lines,
            f"%again = icmp slt {_WORD} %j1, {self.lanes}",
            "br i1 %again, label %gather, label %called",
            "called:",
            *[f"%y{k} = load {self.kind}, ptr %room{k}" for k in self.inputs],
            f"%s = call {self.kind} %function({gathered})",
            f"store {self.kind} %s, ptr %room{self.last}",
        ]

    def spread(self) -> list[str]:
        """Storing the elements of the vector that came out, each in its place."""
        return [
            f"%short = icmp slt {_WORD} %left, {self.lanes}",
            f"%count = select i1 %short, {_WORD} %left, {_WORD} {self.lanes}",
            "br label %spread_one",
            "spread_one:",
            f"%m = phi {_WORD} [ 0, %called ], [ %m1, %spread_one ]",
            f"%got = getelementptr {self.scalar}, ptr %room{self.last}, {_WORD} %m",
            f"%value = load {self.scalar}, ptr %got",
            f"%leap = mul {_WORD} %m, %step{self.last}",
            f"%dst = getelementptr i8, ptr %p{self.last}, {_WORD} %leap",
            f"store {self.scalar} %value, ptr %dst, align 1",
            f"%m1 = add {_WORD} %m, 1",
            f"%rest = icmp slt {_WORD} %m1, %count",
            "br i1 %rest, label %spread_one, label %spread",
            "spread:",
            "br label %head",
        ]
