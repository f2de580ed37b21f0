"""Fill the virtual environment whose Python runs this: `make venv` calls it once the environment is there.

uv does it in a fraction of pip's time. It is not asked of the machine: pip fetches it first, at the version and with
the hashes of requirements.uv.lock. Where there is no uv for the platform, or an index that only pip can reach, pip does
all of it. Either way nothing is installed that is not named by hash in a lock, and nothing is compiled ahead: Python
compiles what is imported, when it is.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
UV = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
LOCKED = ["--quiet", "--require-hashes", "-r"]
OURSELVES = ["--quiet", "--no-deps", "--no-build-isolation", "-e", "."]  # Built by what the lock has just installed.

SETTING = re.compile(r"(?:global|install|:env:)\.([\w-]+)=(.*)")
AS_UV_SAYS = {  # pip's setting -> the variable that tells uv the same, and what stands between several values.
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
}


def main() -> int:
    """Install everything, and return the exit code of what had the last word."""
    if _by_uv():
        return 0
    print("uv can't do it here, so pip does: that takes longer, and nothing else is different", file=sys.stderr)
    return _pip("--no-compile", *LOCKED, "requirements.lock") or _pip("--no-index", *OURSELVES)


def _by_uv() -> bool:
    if _pip("--no-compile", "--only-binary", ":all:", *LOCKED, "requirements.uv.lock"):
        return False
    listing = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    settings = pip_settings(listing)
    offline = ["--no-index"] if settings.get("no-index", "").lower() in ("1", "true", "yes", "on") else []
    uv = [str(UV), "pip", "install", "--python", sys.executable, *_cache(os.environ)]
    env = uv_environment(settings, os.environ)
    lines = [[*uv, *offline, *LOCKED, "requirements.lock"], [*uv, "--offline", *OURSELVES]]
    return all(subprocess.run(line, cwd=HERE, env=env, check=False).returncode == 0 for line in lines)


def _cache(env: Mapping[str, str]) -> list[str]:
    """Do without a cache where the home folder takes none and no other place for it is named."""
    named = env.get("UV_CACHE_DIR") or env.get("XDG_CACHE_HOME")
    return [] if named or os.access(os.path.expanduser("~"), os.W_OK) else ["--no-cache"]


def _pip(*words: str) -> int:
    return subprocess.run([*PIP, "install", *words], cwd=HERE, check=False).returncode


def pip_settings(listing: str) -> dict[str, str]:
    """Return what `pip config list` told, its files and its environment in one, the environment last and strongest.

    >>> pip_settings("global.index-url='https://a/simple'\\n:env:.index-url='https://b/simple'")
    {'index-url': 'https://b/simple'}
    """
    found = filter(None, map(SETTING.fullmatch, listing.splitlines()))
    rank = {":": 2, "i": 1, "g": 0}
    ordered = sorted(found, key=lambda line: rank[line[0][0]])
    return {line[1]: str(ast.literal_eval(line[2])) for line in ordered}


def uv_environment(settings: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return `env` and in it, for uv, where pip's `settings` say that packages come from; what `env` tells uv wins.

    Of several indexes pip takes the best match wherever it lies, uv by its own lights the first index that knows the
    name at all. With the versions pinned and the files hashed there is one match, so pip's way is safe.
    """
    told = {
        variable: between.join(settings[name].split())
        for name, (variable, between) in AS_UV_SAYS.items()
        if settings.get(name)
    }
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **told, **env}


if __name__ == "__main__":
    sys.exit(main())
