#!/usr/bin/env python3
"""Makes the folder of substitutes: Debian's sources under names of their own, their hashes, a compiler, and overrides (README.md)."""

import argparse
import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

HERE = pathlib.Path(__file__).resolve().parent
KEEP = {"LC_ALL": "C.UTF-8"}
# Programs of the distribution's own packages, not those that a user put before them.
MACHINE = "/usr/bin:/bin:/usr/sbin:/sbin"


def run(*command, folder=None, check=True, env=None):
    """Runs a program and returns what it prints."""
    done = subprocess.run(command, cwd=folder, env={**os.environ, **KEEP, **(env or {})}, stdout=subprocess.PIPE, text=True)
    if check and done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed ({done.returncode})")
    return done.stdout


def sha256(path):
    """Digest of a file, as hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Archive:
    """A package manager's state of its own, with source entries, where the machine's own sources say."""

    def __init__(self, folder, suites):
        self.folder = folder
        for name in ["lists/partial", "cache/archives/partial", "etc", "state"]:
            (folder / name).mkdir(parents=True, exist_ok=True)
        entries = []
        for line in run("apt-get", "indextargets", "--format", "$(SITE) $(RELEASE) $(SIGNED_BY)", "Created-By: Packages").splitlines():
            site, release, *key = line.split()
            if not re.fullmatch(r"[a-z]+(-security)?", release) or "debian" not in site:
                continue
            pocket = "-security" if release.endswith("-security") else ""
            signed = f"Signed-By: {key[0]}\n" if key and not key[0].startswith("$") else ""
            wanted = [s + pocket for s in suites if not pocket or s in ("bookworm", "trixie")]
            entries.append(f"Types: deb-src\nURIs: {site}\nSuites: {' '.join(wanted)}\nComponents: main\n{signed}")
        (folder / "etc/all.sources").write_text("\n".join(sorted(set(entries))))
        options = [f'Dir::State "{folder}/state";', f'Dir::State::lists "{folder}/lists";', 'Dir::State::status "/dev/null";']
        options += [f'Dir::Cache "{folder}/cache";', 'Dir::Etc::sourcelist "/dev/null";', f'Dir::Etc::sourceparts "{folder}/etc";']
        (folder / "apt.conf").write_text("\n".join(options + ['Acquire::Languages "none";', 'APT::Sandbox::User "root";', ""]))
        self.env = {"APT_CONFIG": str(folder / "apt.conf")}
        run("apt-get", "update", "-q", env=self.env)

    def orig(self, source, version, into):
        """Upstream's tarball of a source package. Its other files may be missing: only the tarball is held against the index."""
        for record in run("apt-cache", "showsrc", source, env=self.env).split("\n\n"):
            found = re.search(r"^Version: (.*)$", record, re.M)
            upstream = re.sub(r"^\d+:", "", found[1]).rsplit("-", 1)[0] if found else ""
            if re.sub(r"\+(dfsg|ds)\d*$", "", upstream) != version or not re.search(rf"^Package: {re.escape(source)}$", record, re.M):
                continue
            sums = re.search(r"^Checksums-Sha256:.*\n((?: .*\n?)*)", record, re.M)[1].split("\n")
            name, expected = next((l.split()[2], l.split()[0]) for l in sums if re.search(r"\.orig\.tar\.\w+$", l))
            path = into / name
            if not path.exists():
                run("apt-get", "source", "--download-only", "-q", f"{source}={found[1]}", folder=into, check=False, env=self.env)
            if path.exists() and sha256(path) == expected:
                return path
            path.unlink(missing_ok=True)
        raise SystemExit(f"the archive did not give {source} {version}")


def binary(name, into):
    """A binary package of the machine's own release."""
    run("apt-get", "download", "-q", name, folder=into)


def repack(orig, entry, out, work):
    """Another tarball under another name, the same whenever it is made from the same files."""
    folder = work / entry["repack"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run("tar", "xf", orig, "--strip-components=1", "-C", folder)
    if "run" in entry:
        run(*entry["run"], folder=folder)
        shutil.rmtree(folder / "autom4te.cache", ignore_errors=True)
    target = out / f"{entry['repack']}-deb.tar.gz"
    with gzip.GzipFile(target, "wb", compresslevel=6, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for path in [folder, *sorted(folder.rglob("*"))]:
            item = tar.gettarinfo(path, path.relative_to(work))
            item.mtime, item.uid, item.gid, item.uname, item.gname = 1_700_000_000, 0, 0, "", ""
            with open(path, "rb") if item.isreg() else open(os.devnull, "rb") as file:
                tar.addfile(item, file if item.isreg() else None)
    shutil.rmtree(folder)
    return target


def write_hash(out, package, path):
    """The hash that Buildroot holds the file against."""
    folder = out / "patches" / package
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{package}.hash").write_text(f"# Debian's, repacked\nsha256  {sha256(path)}  {path.name}\n")


def own(program):
    """A program beside this one that stands in for the machine's."""
    path = HERE / "programs" / program
    return path if path.exists() else None


def stub(name, programs, out):
    """A host package that links the machine's programs, or one of ours in the place of one."""
    variable = "HOST_" + name.upper().replace("-", "_")
    (out / "stubs" / name).mkdir(parents=True, exist_ok=True)
    paths = [p if "/" in p else f"bin/{p}" for p in programs]
    found = [own(path.split("/")[1]) or shutil.which(path.split("/")[1], path=MACHINE) for path in paths]
    links = " && ".join(["mkdir -p $(HOST_DIR)/bin $(HOST_DIR)/sbin"] + [f"ln -sf {at} $(HOST_DIR)/{path}" for at, path in zip(found, paths)])
    hooks = "" if name == "pkgconf" else f"override {variable}_POST_INSTALL_HOOKS =\n"
    # What is built with meson calls ninja too, and says so through meson only.
    needs = "host-skeleton host-ninja" if name == "meson" else "host-skeleton"
    lines = [f"{variable}_OVERRIDE_SRCDIR = {out}/stubs/{name}", f"override {variable}_DEPENDENCIES = {needs}"]
    lines += [f"override {variable}_{step}_CMDS = :" for step in ["CONFIGURE", "BUILD"]]
    lines += [f"override {variable}_INSTALL_CMDS = {links}", f"override {variable}_AUTORECONF = NO"]
    lines += [f"override {variable}_EXTRA_DOWNLOADS =", f"override {variable}_POST_EXTRACT_HOOKS ="]
    lines += [f"override {variable}_POST_PATCH_HOOKS =", f"override {variable}_PRE_CONFIGURE_HOOKS ="]
    lines += [f"override {variable}_POST_CONFIGURE_HOOKS =", f"override {variable}_POST_BUILD_HOOKS ="]
    return "\n".join(lines) + f"\n{hooks}"


def fragment(out, arch, toolchain, kernel):
    """What replaces lines of the board's defconfig."""
    # Of the Pi 4: kernel.org's source has no file for its Compute Module alone. The Pi 5 needs raspberrypi/linux, which is no substitute.
    trees = ['BR2_LINUX_KERNEL_INTREE_DTS_NAME="broadcom/bcm2711-rpi-4-b broadcom/bcm2711-rpi-400"'] if arch == "aarch64" else []
    return "\n".join([
        "BR2_TOOLCHAIN_EXTERNAL=y", "BR2_TOOLCHAIN_EXTERNAL_CUSTOM=y", "BR2_TOOLCHAIN_EXTERNAL_PREINSTALLED=y",
        f'BR2_TOOLCHAIN_EXTERNAL_PATH="{out}/toolchain-{arch}"', f'BR2_TOOLCHAIN_EXTERNAL_CUSTOM_PREFIX="{toolchain["triplet"]}"',
        "BR2_TOOLCHAIN_EXTERNAL_GCC_12=y", "BR2_TOOLCHAIN_EXTERNAL_HEADERS_6_1=y", "BR2_TOOLCHAIN_EXTERNAL_CUSTOM_GLIBC=y",
        "# BR2_TOOLCHAIN_EXTERNAL_INET_RPC is not set", "# BR2_TOOLCHAIN_EXTERNAL_CXX is not set",
        f'BR2_PACKAGE_OVERRIDE_FILE="{out}/local.mk"',
        f'BR2_GLOBAL_PATCH_DIR="$(BR2_EXTERNAL_HEARTH_PATH)/board/hearth/patches {out}/patches"',
        "BR2_LINUX_KERNEL_CUSTOM_TARBALL=y", f'BR2_LINUX_KERNEL_CUSTOM_TARBALL_LOCATION="file://{kernel}"',
        "# BR2_LINUX_KERNEL_CUSTOM_VERSION is not set", *trees, "",
    ])


def main():
    """Everything, into a folder outside of the repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, type=pathlib.Path)
    parser.add_argument("--arch", choices=["x86_64", "aarch64"], default="x86_64")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    mirror, origs, work = out / "mirror", out / "origs", out / "work"
    for folder in [mirror, origs, work]:
        folder.mkdir(parents=True, exist_ok=True)
    table = json.loads((HERE / "sources.json").read_text())
    archive = Archive(out / "apt", table["suites"])
    overrides = ["# Written by prepare.py", ""]
    for entry in table["packages"]:
        print("source", entry["source"], entry["version"], flush=True)
        orig = archive.orig(entry["source"], entry["version"], origs)
        if "file" in entry:
            shutil.copyfile(orig, mirror / entry["file"])
            continue
        path = mirror / f"{entry['repack']}-deb.tar.gz"
        if not path.exists():
            repack(orig, entry, mirror, work)
        write_hash(out, entry["package"], path)
        variable = entry["package"].upper().replace("-", "_")
        overrides.append(f"override {variable}_VERSION = {entry.get('as', entry['version'])}\noverride {variable}_SOURCE = {path.name}\n")
        overrides += [f"override {name} = {value}\n" for name, value in entry.get("set", {}).items()]
    kernel = mirror / "linux-deb.tar.xz"
    if not kernel.exists():
        print("source of the kernel", flush=True)
        binary(table["kernel"]["binary"], work)
        package = next(work.glob(f"{table['kernel']['binary']}_*.deb"))
        run("dpkg-deb", "--extract", package, work / "kernel")
        shutil.copyfile(work / "kernel" / table["kernel"]["member"], kernel)
    write_hash(out, "linux", kernel)
    toolchain = table["toolchain"][arguments.arch]
    compiler = out / f"toolchain-{arguments.arch}"
    if not compiler.exists():
        print("compiler", flush=True)
        debs = out / f"debs-{arguments.arch}"
        debs.mkdir(exist_ok=True)
        for name in toolchain["binaries"]:
            binary(name, debs)
        run("bash", HERE / "toolchain.sh", debs, compiler, toolchain["triplet"], table["toolchain"]["gcc"], toolchain["folder"])
    overrides += [stub(name, programs, out) for name, programs in table["tools"].items()]
    (out / "local.mk").write_text("\n".join(overrides))
    (out / f"{arguments.arch}.fragment").write_text(fragment(out, arguments.arch, toolchain, kernel))
    print(f"substitutes are in {out}")


if __name__ == "__main__":
    main()
