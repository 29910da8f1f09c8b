import json

import httpx
import pytest

from blocks.errors import InvalidRequest, LinkExpired, ProviderUnavailable, UnexpectedAnswer
from blocks.provider import DownloadedPicture
from blocks.sunra import client as client_module
from tests.blocks.sunra.answers import Answering
from tests.blocks.sunra.conftest import KEY


class TestUpload:
    """Giving Sunra a reference."""

    places = httpx.Response(
        200, json={"upload_url": "https://put.example/x?Signature=S3CRET", "file_url": "https://assets.example/x.png"}
    )

    async def test_bytes_go_to_the_given_url_without_the_key(self, answering: Answering) -> None:
        """Initiate with the key, PUT without; the URL for `image_urls` comes back."""
        async with answering(self.places, httpx.Response(200)) as sunra:
            assert await sunra.client.upload(b"png", "image/png", "a.png") == "https://assets.example/x.png"
        initiate, put = sunra.requests
        assert sunra.sent == [
            ("POST", "https://api.sunra.ai/v1/storage/upload/initiate"),
            ("PUT", "https://put.example/x?Signature=S3CRET"),
        ]
        assert json.loads(initiate.content) == {"content_type": "image/png", "file_name": "a.png"}
        assert (put.content, put.headers["content-type"]) == (b"png", "image/png")
        assert KEY not in str(put.headers.raw)

    @pytest.mark.parametrize(
        ("file_name", "media_type", "sent"),
        [
            ("cup.jpeg", "image/png", "cup.jpeg"),
            ("cup", "image/png", "cup.png"),
            ("cup.", "image/jpeg", "cup.jpeg"),
            (".png", "image/png", "png.png"),
            ("", "image/webp", "upload.webp"),
            ("cup", "", "cup.bin"),
            ("cup", "image/svg+xml", "cup.svgxml"),
            ("../../etc/pass wd.png", "image/png", "pass_wd.png"),
            ('a"b\r\nc.png', "image/png", "a_b_c.png"),
            ("tasse à café.png", "image/png", "tasse_caf_.png"),
        ],
    )
    async def test_a_file_name_is_plain_and_has_an_extension(
        self, answering: Answering, file_name: str, media_type: str, sent: str
    ) -> None:
        """Sunra refuses a name without one ("Invalid filename"); the rest of a stranger's name is made harmless."""
        async with answering(self.places, httpx.Response(200)) as sunra:
            await sunra.client.upload(b"png", media_type, file_name)
        assert json.loads(sunra.requests[0].content)["file_name"] == sent

    @pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "//x/y", "javascript:1", "http://h:99999/"])
    @pytest.mark.parametrize("name", ["upload_url", "file_url"])
    async def test_only_web_addresses_are_used(self, answering: Answering, name: str, url: str) -> None:
        """An answer cannot name a place that is no web address."""
        body = {"upload_url": "https://put.example/", "file_url": "https://a.example/", name: url}
        async with answering(httpx.Response(200, json=body)) as sunra:
            with pytest.raises(UnexpectedAnswer, match="no web address"):
                await sunra.client.upload(b"png", "image/png", "a.png")
        assert len(sunra.requests) == 1

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(403),
            httpx.Response(500),
            httpx.Response(303, headers={"location": "https://a.example/"}),
            httpx.WriteError("reset"),
        ],
    )
    async def test_an_upload_that_is_not_taken_is_repeated_as_a_whole(
        self, answering: Answering, answer: httpx.Response | Exception
    ) -> None:
        """The URL is good for one time; a redirect is no success, because its GET would prove nothing."""
        async with answering(self.places, answer) as sunra:
            with pytest.raises(ProviderUnavailable) as caught:
                await sunra.client.upload(b"png", "image/png", "a.png")
        assert len(sunra.requests) == 2
        assert "S3CRET" not in str(caught.value)

    async def test_more_than_sunra_takes_is_not_sent(
        self, answering: Answering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At most 100 MB (Sunra's docs)."""
        assert client_module.MAX_UPLOAD_SIZE_BYTES == 100 * 1024 * 1024
        monkeypatch.setattr(client_module, "MAX_UPLOAD_SIZE_BYTES", 2)
        async with answering(self.places) as sunra:
            with pytest.raises(InvalidRequest, match="An upload may have 2 bytes"):
                await sunra.client.upload(b"png", "image/png", "a.png")
        assert sunra.requests == []


class TestDownload:
    """Collecting what was paid for."""

    async def test_the_limit_of_the_block_is_kept(self, answering: Answering) -> None:
        """The generic download is used, with this client's limit."""
        png = httpx.Response(200, content=b"12345", headers={"content-type": "image/png"})
        async with answering(png, max_picture_size_bytes=5) as sunra:
            picture = await sunra.client.download("https://assets.example/a.png")
        assert picture == DownloadedPicture(data=b"12345", media_type="image/png")

    async def test_a_link_that_is_gone_is_told(self, answering: Answering) -> None:
        """How long Sunra keeps results is not documented."""
        async with answering(httpx.Response(404)) as sunra:
            with pytest.raises(LinkExpired):
                await sunra.client.download("https://assets.example/a.png?sig=x")
