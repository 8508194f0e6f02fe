"""The estimators keep scikit-learn's contract: all its own checks."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from thalweg.sklearn import FlowClassifier, FlowRegressor

# A quick method and small layers: the checks make some hundred fits of many shapes.
SMALL = {"layers": (4,), "method": "l-bfgs", "max_iter": 60}


@pytest.mark.filterwarnings("ignore:the budget ran out")  # the checks look at interfaces
@parametrize_with_checks(
    [
        FlowRegressor(**SMALL),
        FlowClassifier(**SMALL),
        FlowRegressor(**SMALL, l2=0.01, early_stopping=True),
        FlowClassifier(**SMALL, l2=0.01, warm_start=False),
    ]
)
def test_scikit_learns_checks_pass(estimator, check):
    """Each check of `check_estimator`, for each way in which the weight decay is set."""
    check(estimator)
