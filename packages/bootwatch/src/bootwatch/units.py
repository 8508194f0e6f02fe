"""The texts of systemd's units, hardened.

All services share one user, which exists only while one of them runs: each would own the state
folder otherwise, and lock the others out of it. The timer is not persistent on purpose: a restart
that was missed at half past three must not happen at nine, in the middle of a call.
"""

REBOOT = """\
[Unit]
Description=Restart {name} and prove it (bootwatch)
Wants=network-online.target
After=network-online.target
OnFailure=bootwatch-{name}-failed.service

[Service]
Type=oneshot
ExecStart={command} reboot {name} --config {config} --log-json
TimeoutStartSec={timeout:.0f}
TimeoutStopSec=60
{more}"""

WATCH = """\
[Unit]
Description=Watch {name} and restart it when it fails (bootwatch)
Wants=network-online.target
After=network-online.target
OnFailure=bootwatch-{name}-failed.service

[Service]
Type=exec
ExecStart={command} watch {name} --config {config} --log-json
Restart=always
RestartSec=60
TimeoutStopSec=60
{more}
[Install]
WantedBy=multi-user.target
"""

FAILED = """\
[Unit]
Description=Say that a service of {name} failed before it could say so itself (bootwatch)
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command} notify {name} --config {config} --failed
TimeoutStartSec=120
{more}"""

HARDENING = """\
DynamicUser=yes
User=bootwatch
StateDirectory=bootwatch
StateDirectoryMode=0700
UMask=0077
CapabilityBoundingSet=
AmbientCapabilities=
LimitCORE=0
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=all
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""

TIMER = """\
[Unit]
Description=When to restart {name} (bootwatch)

[Timer]
OnCalendar={calendar}
RandomizedDelaySec=60

[Install]
WantedBy=timers.target
"""
