"""A running server under requests generated from its own schema: no 500, every error a problem document."""

import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.faults

# Judged beside schemathesis's own check for server errors.
CHECKS = """
import json, schemathesis

@schemathesis.check
def errors_are_problem_documents(ctx, response, case):
    # What the HTTP server itself refuses (raw bytes in a request line) never reaches the platform.
    if response.status_code >= 400 and response.content:
        kind = response.headers["content-type"][0]
        assert kind == "application/problem+json", (response.status_code, kind)
        problem = json.loads(response.content)
        assert problem["status"] == response.status_code
        assert {"type", "title", "detail", "code", "request_id", "retryable", "outcome"} <= problem.keys()
"""


def test_generated_requests_meet_no_server_error_and_only_problem_documents(own_platform, tmp_path):
    (tmp_path / "checks.py").write_text(CHECKS)
    before = own_platform.manage("verify_ledger")

    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{own_platform.port}/api/v1/schema",
            "--header", f"Authorization: Bearer {own_platform.token}",
            "--checks", "not_a_server_error,errors_are_problem_documents",
            "--max-examples", "25", "--seed", "7", "--request-timeout", "30", "--suppress-health-check", "all",
        ],
        env=os.environ | {"SCHEMATHESIS_HOOKS": "checks", "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(r"\d{3,} generated", done.stdout), done.stdout[-1000:]
    assert "The ledger is right." in before
    assert "The ledger is right." in own_platform.manage("verify_ledger")
    assert json.loads(own_platform.call("GET", "/assets")[1])["data"]
