"""How real files of each format begin, and what passes for them but must not."""

from typing import Final

REST: Final = bytes(range(256)) * 2

IMAGES: Final = {
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01" + REST,
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01" + REST,
    "image/gif": b"GIF89a\x01\x00\x01\x00\x80\x00\x00" + REST,
    "image/webp": b"RIFF\x24\x00\x00\x00WEBPVP8 " + REST,
    "image/bmp": b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00" + REST,
    "image/tiff": b"II*\x00\x08\x00\x00\x00" + REST,
    "image/heic": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + REST,
    "image/avif": b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1" + REST,
    "image/x-icon": b"\x00\x00\x01\x00\x01\x00\x10\x10" + REST,
    "image/jp2": b"\x00\x00\x00\x0cjP  \r\n\x87\n" + REST,
    "image/vnd.adobe.photoshop": b"8BPS\x00\x01\x00\x00" + REST,
}
SOUNDS: Final = {
    "audio/mpeg": b"ID3\x04\x00\x00\x00\x00\x0f\x76TSSE" + REST,
    "audio/wav": b"RIFF\x24\x08\x00\x00WAVEfmt " + REST,
    "audio/flac": b"fLaC\x00\x00\x00\x22" + REST,
    "audio/aac": b"\xff\xf1\x50\x80\x02\x1f\xfc" + REST,
    "audio/amr": b"#!AMR\n\x3c\x91\x17" + REST,
    "audio/amr-wb": b"#!AMR-WB\n\x04" + REST,
    "audio/x-caf": b"caff\x00\x01\x00\x00desc" + REST,
    "audio/aiff": b"FORM\x00\x00\x10\x00AIFFCOMM" + REST,
    "audio/midi": b"MThd\x00\x00\x00\x06\x00\x01" + REST,
}
SOUND_OR_VIDEO: Final = {
    "application/ogg": b"OggS\x00\x02\x00\x00\x00\x00\x00\x00" + REST,
    "video/mp4": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + REST,
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  \x00\x00\x02\x00qt  " + REST,
    "video/x-matroska": b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm" + REST,
    "video/x-ms-asf": b"0&\xb2u\x8ef\xcf\x11\xa6\xd9\x00\xaa\x00b\xcel" + REST,
    "video/mpeg": b"\x00\x00\x01\xba\x44\x00\x04\x00" + REST,
}
VIDEOS: Final = {
    "video/x-msvideo": b"RIFF\x24\x00\x00\x00AVI LIST" + REST,
    "video/x-flv": b"FLV\x01\x05\x00\x00\x00\x09" + REST,
    "video/mp2t": (b"G\x40\x00\x10" + b"\xff" * 184) * 3,
}
DOCUMENTS: Final = {
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj" + REST,
    "application/zip": b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00[Content_Types].xml" + REST,
    "application/x-ole-storage": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + REST,
    "application/rtf": b"{\\rtf1\\ansi Hello}",
    "application/vnd.rar": b"Rar!\x1a\x07\x01\x00" + REST,
    "application/x-7z-compressed": b"7z\xbc\xaf'\x1c\x00\x04" + REST,
    "application/gzip": b"\x1f\x8b\x08\x08\x00\x00\x00\x00" + REST,
    "application/x-bzip2": b"BZh91AY&SY" + REST,
    "application/x-xz": b"\xfd7zXZ\x00\x00\x04" + REST,
    "application/x-tar": b"a.txt".ljust(257, b"\x00") + b"ustar\x0000" + REST,
}
BINARIES: Final = IMAGES | SOUNDS | SOUND_OR_VIDEO | VIDEOS | DOCUMENTS
MORE: Final = (
    (b"GIF87a" + REST, "image/gif"),
    (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
    (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1heic" + REST, "image/heic"),
    (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif" + REST, "image/avif"),
    (b"\xff\xfb\x90\x64\x00" + REST, "audio/mpeg"),
    (b"\xff\xf3\x48\xc4\x00" + REST, "audio/mpeg"),
    (b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00" + REST, "video/mp4"),
    (b"\x00\x00\x00\x14ftyp3gp4\x00\x00\x00\x00" + REST, "video/mp4"),
    (b"\x00\x00\x00<ftypisom\x00\x00\x02\x00" + REST, "video/mp4"),
    (b"\x00\x01\x00\x00moov" + REST, "video/quicktime"),
    (b"\xef\xbb\xbf\r\n%PDF-1.4" + REST, "application/pdf"),
    (b"x" * 1_019 + b"%PDF-1.4", "application/pdf"),
)

TEXTS: Final = (
    b"Hello, world\n",
    b"a;b;c\r\n1;2;3\r\n",
    '{"name": "Zoë"}'.encode(),
    "Привет".encode("cp1251"),
    "\ufeffname,value\n".encode(),
    "name\tvalue\n<b>".encode("utf-16"),
    "Ünïcode".encode("utf-16-be").join([b"\xfe\xff", b""]),
    b"BM and BZhang, FORM and RIFF, ID3 tags",
    b"The free lunch, and where moov goes",
    b"1 < 2 and <a> comes later <svg>",
    b'<?xml version="1.0"?>\n<note><to>Ann</to></note>',
    b"<note>of nothing</note>",
    b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n",
    b"x" * 1_020 + b"%PDF-1.4",
)

PROGRAMS: Final = (
    b"MZ\x90\x00\x03\x00\x00\x00" + REST,
    b"\x7fELF\x02\x01\x01" + REST,
    b"\xcf\xfa\xed\xfe\x07\x00\x00\x01" + REST,
    b"\xfe\xed\xfa\xce\x00\x00\x00\x12" + REST,
    b"\xca\xfe\xba\xbe\x00\x00\x00\x02" + REST,
    b"\x00asm\x01\x00\x00\x00",
    b"dex\n035\x00" + REST,
    b"L\x00\x00\x00\x01\x14\x02\x00" + REST,
    b"#!/bin/sh\nrm -rf /\n",
    b"\xef\xbb\xbf#!/usr/bin/env python\n",
    b"<?php system($_GET['c']);",
    b"<%@ page import='java.io.*' %>",
    b"MZ" + b" " * 100 + b"%PDF-1.4\n",
)
PAGES: Final = (
    b"<!DOCTYPE html><html></html>",
    b"<!doctype HTML>",
    b"<HTML>",
    b"  \r\n\t<html lang='en'>",
    b"\xef\xbb\xbf<html>",
    b"\x00\x00<html>",
    "<html><body>".encode("utf-16"),
    "<script>alert(1)</script>".encode("utf-16-le"),
    b"<script src=x>",
    b"<body onload=alert(1)>",
    b"<h1>Not found</h1>",
    b"<table><tr><td>1</td></tr></table>",
    b"<img src=x onerror=alert(1)>",
    b"<!-- a comment --><script>",
    b"<p>",
    b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    b"<?xml version='1.0'?><svg/>",
    b"<?xml version='1.0'?>\n<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'x'>",
    b"<?xml version='1.0'?><s:svg xmlns:s='x'>",
    b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>",
    b"<?xml version='1.0'?><a xmlns:x='http://www.w3.org/1999/xhtml'><x:script>alert(1)</x:script></a>",
    b"<?xml version='1.0'?><?xml-stylesheet href='x.xsl'?><a/>",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    b"<note><script>alert(1)</script></note>",
    b"<html>" + b" " * 500 + b"%PDF-1.4",
)
