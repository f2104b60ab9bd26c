"""Says how a stack file is read without an engine: every fault at once with its line, no secret shown, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from infra.config.options import SECRET_NAMES, StackOptions
from infra.config.stack_file import load_options, value_and_line
from telemetry.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
HEAD = "config:\n  motcua:stage: dev\n  motcua:target: local\n"
PLANTED = "hunter2-planted"


def faults(folder: Path, text: str) -> list[tuple[int, str, str]]:
    path = folder / "Pulumi.try.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_options(path)
    assert all(fault.file == str(path) and fault.problem and fault.remedy for fault in caught.value.faults)
    assert PLANTED not in str(caught.value)
    return [(fault.line, fault.field, fault.problem) for fault in caught.value.faults]


def read(folder: Path, text: str) -> StackOptions:
    path = folder / "Pulumi.try.yaml"
    path.write_text(text, encoding="utf-8")
    return load_options(path)


@pytest.mark.parametrize("path", sorted((ROOT / "infra/stacks").glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_shipped_stack_files_have_no_fault(path: Path) -> None:
    options = load_options(path)
    assert (options.target if options.cloud.part == "motcua" else options.cloud.part) in path.name


def test_engines_scalars_and_typed_values_mean_the_same(tmp_path: Path) -> None:
    typed = read(tmp_path, HEAD + "  motcua:workers: 8\n  motcua:today: 2026-05-01\n")
    text = read(tmp_path, HEAD + '  motcua:workers: "8"\n  motcua:today: "2026-05-01"\n')
    assert typed == text
    assert typed.workers == 8


def test_a_structure_that_pulumi_config_set_wrote_as_a_text_means_the_same(tmp_path: Path) -> None:
    text = read(tmp_path, HEAD + """  motcua:cloud: '{"part": "hosted", "apiServerNetworks": ["10.84.0.2/32"]}'\n""")
    assert text.cloud.part == "hosted"
    assert text.cloud.api_server_networks == ("10.84.0.2/32",)
    assert [one[1] for one in faults(tmp_path, HEAD + "  motcua:cloud: '{not json'\n")] == ["motcua:cloud"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_secret_in_plain_text_is_refused_and_not_shown(tmp_path: Path, name: str) -> None:
    found = faults(tmp_path, f"{HEAD}  motcua:{name}: {PLANTED}\n")
    assert found == [(4, f"motcua:{name}", "is a secret in plain text")]


@pytest.mark.parametrize("value", ["", "[a]", "{secure: v1:x, more: 1}", "5", '""'])
def test_secret_that_is_not_encrypted_is_refused_whatever_its_shape(tmp_path: Path, value: str) -> None:
    assert [one[1] for one in faults(tmp_path, f"{HEAD}  motcua:influxToken: {value}\n")] == ["motcua:influxToken"]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.try.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "  motcua:workers: 8\n").replace("\n", "\r\n").encode())
    assert load_options(path).workers == 8
    path.write_bytes((HEAD + "  motcua:workers: no\n").replace("\n", "\r\n").encode())
    with pytest.raises(ConfigError, match=r"Pulumi\.try\.yaml:4: motcua:workers"):
        load_options(path)


def test_other_encodings_are_named_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.try.yaml"
    path.write_bytes(HEAD.encode() + b"  motcua:owner: B\xfeo\n")
    with pytest.raises(ConfigError, match=r":4: file: is not UTF-8; save it as UTF-8"):
        load_options(path)
    assert value_and_line(path, "inventory") == ("", 0)


def test_one_value_is_read_whatever_else_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "Pulumi.try.yaml"
    path.write_text("config:\n  motcua:stage: nonsense\n  motcua:inventory: here\n  motcua:influx: {}\n")
    assert value_and_line(path, "inventory") == ("here", 3)
    assert value_and_line(path, "influx") == ("", 0)


def test_remedy_for_a_plain_secret_is_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pulumi config set --secret motcua:rootKey"):
        read(tmp_path, f"{HEAD}  motcua:rootKey: {PLANTED}\n")


def test_encrypted_secrets_are_left_alone(tmp_path: Path) -> None:
    secrets = "".join(f"  motcua:{name}:\n    secure: v1:abc\n" for name in SECRET_NAMES)
    assert read(tmp_path, HEAD + secrets + "  openstack:password:\n    secure: v1:abc\n") == read(tmp_path, HEAD)


def test_keys_of_an_earlier_version_are_named_with_line_and_remedy(tmp_path: Path) -> None:
    text = f"""\
  motcua:shards: 16
  motcua:broker:
    kind: cluster
    form: files
    plugin: {PLANTED}
  motcua:brokerPassword:
    secure: {PLANTED}
"""
    assert [(line, name) for line, name, _ in faults(tmp_path, HEAD + text)] == [
        (4, "motcua:shards"),
        (6, "motcua:broker.kind"),
        (7, "motcua:broker.form"),
        (8, "motcua:broker.plugin"),
        (9, "motcua:brokerPassword"),
    ]
    with pytest.raises(ConfigError, match="take it out with `pulumi config rm brokerPassword`"):
        read(tmp_path, HEAD + text)


@pytest.mark.parametrize("value", [PLANTED, f"{{secure: {PLANTED}}}"])
def test_a_removed_secret_is_one_fault_encrypted_or_not(tmp_path: Path, value: str) -> None:
    found = faults(tmp_path, f"{HEAD}  motcua:brokerPassword: {value}\n")
    assert [(line, name) for line, name, _ in found] == [(4, "motcua:brokerPassword")]


def test_other_providers_secrets_must_be_encrypted_too(tmp_path: Path) -> None:
    found = faults(tmp_path, f"{HEAD}  openstack:password: {PLANTED}\n  kubernetes:kubeconfig: {PLANTED}\n")
    assert [one[1] for one in found] == ["openstack:password", "kubernetes:kubeconfig"]


def test_encrypted_option_is_refused_because_it_could_not_be_read_here(tmp_path: Path) -> None:
    found = faults(tmp_path, f"{HEAD}  motcua:influx:\n    secure: v1:abc\n")
    assert found == [(4, "motcua:influx", "is encrypted, but no secret")]


def test_key_without_the_projects_name_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, f"{HEAD}  workers: 8\n") == [(4, "workers", "has no project's name before it")]


def test_other_namespaces_are_left_alone(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + "  kubernetes:context: prod\n") == read(tmp_path, HEAD)


def test_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    found = faults(tmp_path, f"{HEAD}  motcua:influx:\n    rawDays: 40\n    rawDays: 50\n")
    assert found == [(6, "motcua:influx.rawDays", "occurs a second time")]


def test_all_faults_come_at_once_each_at_its_line(tmp_path: Path) -> None:
    text = """\
  motcua:influx: [1]
  motcua:pki:
    hosts: {a: 1}
    revoked: [ab@2026-13-45, 7]
    epoch: 3
  motcua:workers: true
  motcua:kubernetes:
    imageDigests:
      1: 2
  motcua:national: {}
  motcua:colour: red
  motcua:tokens:
    generation: null
    previous: later
"""
    found = [(line, name) for line, name, _ in faults(tmp_path, HEAD + text)]
    assert found == [
        (4, "motcua:influx"),
        (6, "motcua:pki.hosts"),
        (7, "motcua:pki.revoked.1"),
        (8, "motcua:pki.epoch"),
        (9, "motcua:workers"),
        (12, "motcua:kubernetes.imageDigests.1"),
        (13, "motcua:national.orgId"),
        (13, "motcua:national.url"),
        (14, "motcua:colour"),
        (16, "motcua:tokens.generation"),
        (17, "motcua:tokens.previous"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "field"),
    [
        ("config:\n- a\n", 2, "config"),
        ("config: hello\n", 1, "config"),
        ("config: [\n", 2, "file"),
        (HEAD + "  motcua:influx: &a\n    url: *a\n", 2, "config"),
        (HEAD + "  motcua:today: 2026-13-45\n", 4, "motcua:today"),
        (HEAD + "  motcua:owner: !!python/object:os.system x\n", 4, "motcua:owner"),
        (HEAD + "  motcua:workers: !!int x\n", 4, "motcua:workers"),
        (HEAD + '  motcua:broker: {bind: "a\\nb"}\n', 4, "motcua:broker.bind"),
        (HEAD + '  motcua:influx: {bucket: "a\\\\"}\n', 4, "motcua:influx.bucket"),
        (HEAD + "  motcua:influx: {bucket: 'a${b}'}\n", 4, "motcua:influx.bucket"),
        (HEAD + "  motcua:influx:\n", 4, "motcua:influx"),
        ("a: " + "[" * 2000, 0, "file"),
    ],
)
def test_odd_yaml_is_a_fault_with_its_line(tmp_path: Path, text: str, line: int, field: str) -> None:
    assert [(at, name) for at, name, _ in faults(tmp_path, text)] == [(line, field)]


@pytest.mark.parametrize("text", ["", "5", "- a\n", "config:\n", "{}", "other: 1\n"])
def test_file_that_says_nothing_misses_stage_and_target(tmp_path: Path, text: str) -> None:
    assert [name for _, name, _ in faults(tmp_path, text)] == ["motcua:stage", "motcua:target"]


def test_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--stack-file: No such file"):
        load_options(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_options(tmp_path / "binary.yaml")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [*(f"motcua:{one.alias or name}" for name, one in StackOptions.model_fields.items()), "x", "motcua:"]
)
SECTION = st.dictionaries(
    st.sampled_from(["url", "rawDays", "hosts", "epoch", "form", "imageDigests", "today"]), VALUES
)


@settings(max_examples=60, deadline=None)
@given(config=st.dictionaries(KEYS, VALUES | SECTION, max_size=6))
def test_nothing_that_a_file_may_hold_ends_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("stack") / "Pulumi.try.yaml"
    path.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    told: object
    try:
        told = load_options(path)
    except ConfigError as error:
        told = error.faults
    assert told
