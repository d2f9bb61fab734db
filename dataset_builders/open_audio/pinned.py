"""Which Debian packages the corpus is made of, down to the bit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Package:
    """A pinned package: Debian version, sha256 of its .deb, licence of the audio inside."""

    version: str
    sha256: str
    license: str


PACKAGES: dict[str, Package] = {
    "asterisk-core-sounds-en-g722": Package(
        "1.6.1-1",
        "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
        "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-en": Package(
        "1.6.1-1",
        "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
        "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-es-g722": Package(
        "1.6.1-1",
        "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8",
        "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-es": Package(
        "1.6.1-1",
        "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74",
        "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-fr-g722": Package(
        "1.6.1-1",
        "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
        "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-fr": Package(
        "1.6.1-1",
        "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
        "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-ru-g722": Package(
        "1.6.1-1",
        "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
        "CC-BY-3.0",
    ),
    "asterisk-core-sounds-ru": Package(
        "1.6.1-1",
        "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab",
        "CC-BY-3.0",
    ),
    "fillets-ng-data-cs": Package(
        "1.0.1-1.1",
        "3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14",
        "GPL-2+",
    ),
    "fillets-ng-data-nl": Package(
        "1.0.1-1.1",
        "afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10",
        "GPL-2+",
    ),
    "fillets-ng-data": Package(
        "1.0.1-1.1",
        "25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84",
        "GPL-2+",
    ),
    "flare-game": Package(
        "1.14-1",
        "4ab6a8298276013d35a0806257e130d992761af1b749041433b409c3dafec508",
        "CC-BY-SA-3.0+",
    ),
    "flight-of-the-amazon-queen": Package(
        "1.0.0-9",
        "40c08fd258d6fe95c46c1eaf5e9137f84ba330657995a281bd887c94a560a0f1",
        "Flight of the Amazon Queen licence (notice kept, not sold alone)",
    ),
    "fluid-soundfont-gm": Package(
        "3.1-5.3",
        "6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e",
        "MIT",
    ),
    "fretsonfire-songs-sectoid": Package(
        "1.dfsg-3.1",
        "14c1ed3e43c1a6a80eae7698f0469a0825cd1184e441968d62df89ca418aa0b4",
        "MIT",
    ),
    "gcompris-qt-data": Package(
        "3.1-2",
        "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
        "CC-BY, CC-BY-SA, public domain or GPL-3+ by file (debian/copyright)",
    ),
    "hydrogen-drumkits": Package(
        "2017.09.19~dfsg-1",
        "6ea3c6df9a67762e2362f946c695e619859126b19fbccf32a2e8f07dfd03b2f4",
        "GPL-2+, CC0, CC-BY or CC-BY-SA by kit",
    ),
    "klettres-data": Package(
        "4:22.12.3-1",
        "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8",
        "GPL-2+",
    ),
    "ktuberling-data": Package(
        "4:22.12.3-1",
        "fba44c875bfa31ea488dadd9263e87a4dcaea0bd47d28817f6c0dc6d2af970ed",
        "GPL-2+",
    ),
    "lincity-ng-data": Package(
        "2.9~git20150314-5",
        "8f5e85bd42879abdc7099b035d7a3d7468eceb6b93b52a12270c28f3f3c792f9",
        "GPL-2+",
    ),
    "naev-data": Package(
        "0.8.2-1",
        "a98849cacdfc72779e03ceb68f32af03cb3c3f382ba8b82e3299ef87254b454d",
        "public domain, CC-BY, CC-BY-SA or GPL by file (debian/copyright)",
    ),
    "openttd-opensfx": Package(
        "1.0.3-2",
        "2898b4677a3caccc4abc08fb4cf83319047b5a04729291deb5c77a8cd713c006",
        "CC-BY-SA-3.0",
    ),
    "planetblupi-music-ogg": Package(
        "1.14.2-3",
        "7d89a6d00b43cdb601e35256ab1a62814d203b5922cfed6a0e73e98486e82fa6",
        "GPL-3+",
    ),
    "sonic-pi-samples": Package(
        "3.2.2~repack-8",
        "25f2312d2fae005e6ad0f4726b8ed3084e776006a5a132083506e960224ac79d",
        "CC0, few CC-BY-SA-4.0 (debian/copyright)",
    ),
    "sound-theme-freedesktop": Package(
        "0.8-2",
        "135cc4893ba590d428577bc3bf42df756a165c05a2a43f84311ad7db779a70ea",
        "GPL-2+, CC-BY or CC-BY-SA by file (debian/copyright)",
    ),
    "tuxpaint-stamps-default": Package(
        "2022.06.04-1",
        "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
        "GPL-2",
    ),
    "ufoai-sound": Package(
        "2.5-2",
        "0224308c10e1265581d1829f19eaef031175390fd0eafeb4a1d558ac6561ed4e",
        "GPL-2+, public domain, CC-BY or CC-BY-SA by file (debian/copyright)",
    ),
    "warzone2100-music": Package(
        "4.3.3-3",
        "d3b2c9f90ea5438d45d4aff18339a03ec808e1affa9dac91f7dad61cb15ee64e",
        "GPL-2+",
    ),
    "wesnoth-1.16-data": Package(
        "1:1.16.9-1",
        "1012b964bd412a6770685e3324ae3b61e176caff7846192d1ee63d55cd621e26",
        "GPL-2+",
    ),
}
