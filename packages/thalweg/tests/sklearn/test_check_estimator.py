"""The estimators keep scikit-learn's contract: all its own checks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from thalweg.sklearn import FlowClassifier, FlowRegressor

# A quick method and a small layer: the checks make some hundred fits of many shapes.
SMALL = {"layers": (4,), "method": "l-bfgs", "max_iter": 60}


@pytest.mark.filterwarnings("ignore:the budget ran out")  # the checks look at interfaces
@parametrize_with_checks([FlowRegressor(**SMALL), FlowClassifier(**SMALL)])
def test_scikit_learns_checks_pass(estimator, check):
    """Each check of `check_estimator`; the weight decay is chosen on held-out rows."""
    check(estimator)
