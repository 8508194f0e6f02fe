"""Differential equations, written as a person writes them and solved by training a network.

A `Problem` has a domain, an equation and conditions; `solve` trains a network to satisfy them.
"""

from thalweg.pde.conditions import (
    Condition,
    Data,
    Dirichlet,
    Initial,
    Interface,
    Neumann,
    Periodic,
    Robin,
)
from thalweg.pde.domains import Domain, TimeInterval
from thalweg.pde.finite_differences import finite_differences
from thalweg.pde.inverse import Unknown
from thalweg.pde.networks import MLP, ModifiedMLP
from thalweg.pde.operators import (
    bilaplacian,
    component,
    divergence,
    dt,
    gradient,
    jacobian,
    laplacian,
    partial,
    taylor,
)
from thalweg.pde.polygons import LShape, Polygon
from thalweg.pde.problem import Field, Problem
from thalweg.pde.reference import Table
from thalweg.pde.result import Error, Result
from thalweg.pde.shapes import Ball, Box, Disk, Interval
from thalweg.pde.training import solve

__all__ = [
    "MLP",
    "Ball",
    "Box",
    "Condition",
    "Data",
    "Dirichlet",
    "Disk",
    "Domain",
    "Error",
    "Field",
    "Initial",
    "Interface",
    "Interval",
    "LShape",
    "ModifiedMLP",
    "Neumann",
    "Periodic",
    "Polygon",
    "Problem",
    "Result",
    "Robin",
    "Table",
    "TimeInterval",
    "Unknown",
    "bilaplacian",
    "component",
    "divergence",
    "dt",
    "finite_differences",
    "gradient",
    "jacobian",
    "laplacian",
    "partial",
    "solve",
    "taylor",
]
