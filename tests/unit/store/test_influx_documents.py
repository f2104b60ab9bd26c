from __future__ import annotations

from telemetry.store.influx.documents import DocumentPart, document_lines, join_document


def parts_of(lines: list[bytes]) -> list[tuple[str, DocumentPart]]:
    found = []
    for number, line in enumerate(lines):
        fields = line.split(b" ", 1)[1]
        digest, body = fields.split(b'"')[1].decode(), fields.split(b'"')[3].decode()
        found.append((str(number), DocumentPart(0, digest, len(lines), body)))
    return found


def test_a_document_with_a_part_of_another_write_is_none() -> None:
    first, second = (bytes(i * seed % 251 for i in range(300_000)) for seed in (7, 11))
    old, new = (parts_of(document_lines("m", body * 1, b"")) for body in (first, second))
    assert join_document(new) == second
    assert join_document([*new[:-1], *old[-1:]]) is None or len(new) == 1
    assert join_document(new[1:]) is None
    assert join_document([]) is None
    broken = DocumentPart(0, new[0][1].digest, 1, "no base64 !")
    assert join_document([("0", broken), ("x", broken)]) is None
    assert join_document([("0", DocumentPart(0, None, None, None))]) is None
