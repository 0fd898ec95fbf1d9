# SPDX-License-Identifier: MIT
"""Which peers this machine has, how they are started, and their versions."""
import glob
import os
import platform
import re
import shutil
import subprocess

PYTHON = "/usr/bin/python3"  # Debian's: another one in PATH lacks uvloop and aiohttp
MISSING = set()              # peers that some suite asked for and did not find


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return ""
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0].strip() if lines and done.returncode == 0 else ""


def python_module(name):
    """Its version, or "" if Debian's Python does not have it."""
    return first_line(PYTHON, "-c", f"import {name}; print(getattr({name}, '__version__', 'there'))")


def crate(name):
    found = glob.glob(f"/usr/share/cargo/registry/{name}-[0-9]*")
    return max(found).rsplit("-", 1)[1] if found else ""


def those_there(peers):
    """`peers` without those that are not installed. A peer is {name: words}; the first word is a program's path,
    a later one may be a file: the peer is there if the program is, and the module that the name stands for."""
    there = {}
    for name, words in peers.items():
        modules = {"uvloop": ["uvloop"], "aiohttp": ["aiohttp", "uvloop"],
                   "Scrapy": ["scrapy"], "aiohttp + pyquery": ["aiohttp", "uvloop", "pyquery"]}.get(name, [])
        if shutil.which(words[0]) and all(python_module(module) for module in modules):
            there[name] = words
        else:
            MISSING.add(name)
    return there


def versions():
    """The machine's class and the versions that matter; nothing that names the machine."""
    with open("/proc/cpuinfo") as file:
        text = file.read()
    model = re.search(r"model name\s*: (.+)", text)
    guest = " (virtual)" if re.search(r"\bhypervisor\b", text) else ""
    kernel = re.match(r"[\d.]+", platform.release())[0]
    with open("/usr/include/boost/version.hpp") as file:
        boost = re.search(r'BOOST_LIB_VERSION "(\S+)"', file.read())[1].replace("_", ".")
    go = re.search(r"go([\d.]+)", first_line("/usr/bin/go", "version"))
    rust = re.match(r"rustc ([\d.]+)", first_line("/usr/bin/rustc", "--version"))
    found = {"Boost (Asio, Beast)": boost, "libuv": first_line("pkg-config", "--modversion", "libuv"),
             "libevent": first_line("pkg-config", "--modversion", "libevent"), "liburing": first_line("pkg-config", "--modversion", "liburing"),
             "Go": go[1] if go else "", "rustc": rust[1] if rust else "", "tokio": crate("tokio"), "hyper": crate("hyper"),
             "Python": first_line(PYTHON, "--version").removeprefix("Python "), "uvloop": python_module("uvloop"),
             "aiohttp": python_module("aiohttp"), "Scrapy": python_module("scrapy"), "node": first_line("node", "--version").removeprefix("v"),
             "nginx": first_line("nginx", "-v").rsplit("/", 1)[-1].split(" ")[0], "wrk": wrk_version()}
    return [f"{os.cpu_count()} cores of {model[1] if model else platform.machine()}{guest}, Linux {kernel}",
            f"{first_line('g++', '--version')}; C++ with -O2 -DNDEBUG, no LTO",
            ", ".join(f"{name} {version or 'not installed'}" for name, version in found.items())]


def wrk_version():
    try:
        done = subprocess.run(["wrk", "-v"], capture_output=True, text=True)  # it prints its usage, and status 1
    except OSError:
        return ""
    return re.search(r"wrk \D*([\d.]+)", done.stdout + done.stderr)[1]
