"""supervisord.conf, as text. It names this folder by a link to it, since `;`, `#` and quotes have a meaning there."""

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit

from local.instance import Instance
from local.problem import Problem
from local.program import Program

STOP_SECONDS = 30

HEAD = """\
[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
logfile={folder}/supervisord.log
logfile_maxbytes=10MB
logfile_backups=1
pidfile={folder}/supervisord.pid
childlogdir={folder}/logs
minfds={files}
{user}
"""

PROGRAM = """\
[program:{name}]
command={command}
directory={directory}
environment={environment}
autostart=false
autorestart=true
startsecs=1
startretries=1000
stopsignal={stop_signal}
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes=50MB
stdout_logfile_backups=1
{user}
"""


def socket(instance: Instance) -> Path:
    """Where its supervisord is asked."""
    return instance.short_folder / "supervisor.sock"


def text(instance: Instance, programs: Iterable[Program]) -> str:
    """The file for exactly these programs; `Problem` if a setting's value cannot be written down."""
    head = HEAD.format(
        socket=socket(instance),
        folder=_escape(instance.plain(instance.folder)),
        files=min(1024, getrlimit(RLIMIT_NOFILE)[1]),  # without this it refuses to start below 1024
        user="user=root" if os.geteuid() == 0 else "",
    )
    return head + "".join("\n" + _section(instance, program) for program in programs)


def _section(instance: Instance, program: Program) -> str:
    return PROGRAM.format(
        name=program.name,
        command=_escape(shlex.join(map(instance.plain, program.command))),
        directory=_escape(instance.plain(program.directory)),
        environment=_escape(",".join(f"{name}={_quote(name, value)}" for name, value in program.environment.items())),
        stop_signal=program.stop_signal,
        stop_seconds=STOP_SECONDS,
        log=_escape(instance.plain(instance.log(program.name))),
        user=f"user={program.user}" if program.user else "",
    )


def _quote(name: str, value: str) -> str:
    quote = "'" if '"' in value else '"'
    if quote in value or re.search(r"\s[;#]|[\r\n]", value):
        raise Problem(
            f"{name} cannot be passed on: supervisord has no way to write down a value with both kinds of quotes, "
            "with a line break, or with ; or # after a space."
        )
    return f"{quote}{value}{quote}"


def _escape(text: str) -> str:
    return text.replace("%", "%%")
