"""bootwatch as it was installed: it restarts its own fake device, and proves it."""

import json
import subprocess
import sys
from pathlib import Path

import bootwatch

CONFIG = """
[devices.tk]
recipe = "auerswald-form"
url = "{url}"
password = {{ file = "tk.password" }}
allow_plain_http = true
pause = "0s"
[devices.tk.verify]
stable_for = "300ms"
down_within = "5s"
poll = "50ms"
"""

assert bootwatch.__version__ == sys.argv[1]
command = Path(sys.prefix, "bin/bootwatch")
with subprocess.Popen(
    [command, "simulate", "auerswald-form", "--boot", "300ms"], stdout=subprocess.PIPE
) as device:
    try:
        url = json.loads(device.stdout.readline())["url"]
        Path("tk.password").write_text("SecretPasswd\n")
        Path("tk.password").chmod(0o600)
        Path("bootwatch.toml").write_text(CONFIG.format(url=url))
        places = ["--config", "bootwatch.toml", "--state", "state"]
        done = subprocess.run(
            [command, "reboot", "tk", "--json", *places], capture_output=True, check=True
        )
        assert json.loads(done.stdout)["verdict"] == "confirmed"
    finally:
        device.terminate()
assert Path(sys.prefix, "share/man/man1/bootwatch.1").is_file()
