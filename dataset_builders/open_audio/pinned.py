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
    "asterisk-core-sounds-it": Package(
        "1.6.1-1",
        "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b",
        "CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-it-g722": Package(
        "1.6.1-1",
        "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
        "CC-BY-SA-3.0",
    ),
    "asterisk-prompt-it-menardi-wav": Package(
        "1:1.4.22+mm20110907-3.1",
        "3094530d98f8758ac275572d59624c41f60969fef883f34f4886d144f3dfeb21",
        "CC-BY-SA-3.0-IT: recorded by Marco Menardi and Paola Dal Zot, http://www.voip.ammdomus.it",
    ),
    "colobot-common-sounds": Package(
        "0.2.0-2",
        "819e799542eac69c95b072567b5584eb3e0b2bb900de13efa3684915747b1644",
        "GPL-3+",
    ),
    "drascula-music": Package(
        "1.0+ds4-2",
        "340e0beb1bacf005cbabebc07ebdd88adf6aee363d437f8a7d73cb0c77a93e79",
        "Drascula licence (notice kept, not sold alone)",
    ),
    "festvox-ru": Package(
        "0.5+dfsg-6",
        "21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4",
        "BSD-like: keep the notice, mark changes",
    ),
    "fretsonfire-songs-muldjord": Package(
        "2.dfsg-2.1",
        "b37adf8b08b46d4182c283e760e4f40622d83674e05803960ea1e11a92600c7b",
        "CC-BY-SA-3.0",
    ),
    "gcin-voice": Package(
        "0~20170223-3",
        "6a0353f0294d06f7bd901bada3d5d9eec63b66c2ec029f92da3124d93d45de70",
        "GPL-3 or LGPL-3 (3.ogg); CC-BY-3.0, ChionMeilin with Chu Lo (5.ogg)",
    ),
    "hedgewars-data": Package(
        "1.0.2-6",
        "722225903a72604403e6e0026e40e9a6953f47a74d94efc5f55504bc05bb4761",
        "GFDL-1.3",
    ),
    "hydrogen-data": Package(
        "1.2.0~beta1+dfsg-1",
        "d2cc3f281c02efb71f132bd173e95a958d3fede7c5aefcaba6547baf918cff2a",
        "GPL-2+",
    ),
    "hydrogen-drumkits-effects": Package(
        "2017.09.19~dfsg-1",
        "4ca3ff30e89d044952ad8a4ed28c60e8e5e1f8fec0ddcf0e1e7e2c84ce2975c8",
        "CC-BY-3.0",
    ),
    "hyperrogue-music": Package(
        "12.0q-1",
        "61ab9f4c2169442d85f42c42d26e80c1a18b93c741f3d44f1b9d83015904e7f7",
        "CC-BY-SA-3.0",
    ),
    "kajongg": Package(
        "4:22.12.3-1",
        "be0a9cc0f9a97064ffa0ab01133f55e021c7c58f9869857431bf1ca951dadbaf",
        "GPL-2+",
    ),
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
    "espeak-ng": Package(
        "1.51+dfsg-10+deb12u2",
        "a11396a690f85f55e6e6b2965505237ddf3dc95c51936aa61de936f1ccf8f4d0",
        "GPL-3+",
    ),
    "espeak-ng-data": Package(
        "1.51+dfsg-10+deb12u2",
        "573f5661c6a5adcf949018baad158c4c773bf5579390ee5235a890f1cd694106",
        "GPL-3+",
    ),
    "festival": Package(
        "1:2.5.0-9",
        "d635d3aebabb5e4bf4d2f1f1bb65a0de4ca1b4ffd8e52bd473b17d3e235e88a7",
        "CSTR Edinburgh licence (permissive)",
    ),
    "festlex-cmu": Package(
        "2.4-2",
        "9c4ca30881e987998abd51bed538e08d960aa08e8f003461c8c246da97235bbb",
        "CSTR Edinburgh licence (permissive)",
    ),
    "festlex-poslex": Package(
        "2.4-1",
        "bb0b51d8f99ee829ce43f4aa0983d5b63d50225dcbdd24a9b14d18e24fddc684",
        "CSTR Edinburgh licence (permissive)",
    ),
    "festvox-kallpc16k": Package(
        "2.4-1",
        "bb21a90974a2754044c6dc11e4cf958aa8ba91ddb312e20ea7a114f3b73dadae",
        "CSTR Edinburgh licence (permissive)",
    ),
    "festvox-kdlpc16k": Package(
        "1.4.0-6.1",
        "3c359e51b6c85d5f5e00368804c52a68f551b1961ee03a79dde5245bc1accb6c",
        "CSTR Edinburgh licence (permissive)",
    ),
    "festvox-us-slt-hts": Package(
        "0.2010.10.25-4",
        "b9ac83795572e717c4595d7dac428336490eeba6801f6e607009a305b4b7da58",
        "BSD-3-Clause and CSTR Edinburgh licence (permissive)",
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
    "flite": Package(
        "2.2-5",
        "f4ce03470bf9974c2cb9cacd981e6be29339ef4c97cf994dd6fa3f90e6544db9",
        "CMU flite licence (permissive)",
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
    "libespeak-ng1": Package(
        "1.51+dfsg-10+deb12u2",
        "2b127a95b50d92cbd7a615968d2ac1566e1cbc87e27bcda0c2894afb2407c6d2",
        "GPL-3+",
    ),
    "libestools2.5": Package(
        "1:2.5.0-13",
        "c5d7a7ea3f17c5779b7f47b40ba622d5f6a22242b05a20f746e05f0b07a883fb",
        "CSTR Edinburgh licence (permissive)",
    ),
    "libflite1": Package(
        "2.2-5",
        "bfa8c591f1b47730b30b372ec38e02918a1c9795eada67684e1746390ad2f061",
        "CMU flite licence (permissive)",
    ),
    "libpcaudio0": Package(
        "1.2-2",
        "5309759e4d129c7d9a601240cc6e62820ecfa86a1a98e207992ffa6a572dbcd2",
        "GPL-3+",
    ),
    "libsonic0": Package(
        "0.2.0-12",
        "9d60de6918ace0b10e3e4e95421befd08aaf03b5b2a3d71ceb799e0cf259916f",
        "Apache-2.0",
    ),
    "lincity-ng-data": Package(
        "2.9~git20150314-5",
        "8f5e85bd42879abdc7099b035d7a3d7468eceb6b93b52a12270c28f3f3c792f9",
        "GPL-2+",
    ),
    "lmms-common": Package(
        "1.2.2+dfsg1-6",
        "7d9aa55dd05f11edc57104203ee1c350e3e41f8936ab3741da2bb1158fd46c37",
        "GPL-2+",
    ),
    "minuet-data": Package(
        "22.12.3-1",
        "ebcfe09eb16ceeeaea998427b671784ff6a5f0b0e2aecb1e1ad9ef0da6ded5fb",
        "GPL-2 or GPL-3 (or later if KDE e.V. approves)",
    ),
    "musescore-general-soundfont": Package(
        "0.2.1-1",
        "21ab87e4b15711817f84130a370bdb51003c90f3bf53e4015f3b410b9ed8c6a5",
        "MIT, parts public domain or CC0",
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
    "qabcs-data": Package(
        "1.0.2-6",
        "3484da4cf258e6f3a39a1fc99bbfcaddfd679cff96a8fa792f261ab0a2bf9d86",
        "GPL-3+",
    ),
    "scratch": Package(
        "1.4.0.6~dfsg1-6.1",
        "36c582eb93110f64f06c4e685c41e933ccba2fa68db12f79b10bfe840b21fc10",
        "CC-BY-SA-3.0",
    ),
    "singularity-music": Package(
        "007-2",
        "139ba1e408eeb0a72f1fff3760ca46558b9f81bed97dc8c0efa108c4007f4845",
        "CC-BY-SA-3.0",
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
    "supertux-data": Package(
        "0.6.3-2",
        "a6ad8865972f1dbb5e7b49f4e1b381dd16a68f3028a3502cfeaca2400285d27f",
        "GPL-2+",
    ),
    "timgm6mb-soundfont": Package(
        "1.3-5",
        "034abdfb296d9353433513dad5dbdcab46425ee6008fc02fe7039b46e75edc54",
        "GPL-2",
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
    "wesnoth-1.16-music": Package(
        "1:1.16.9-1",
        "f9bc3cde92b4ab30db5d7b85f89b4bcc3d788dd92602956d0347250850bf59bb",
        "GPL-2+",
    ),
    "ardentryst": Package(
        "1.71-9",
        "7a01180285a4acaa980b18118127c60ac0377f4e2bcd69244b1feb7de5fc566f",
        "CC-BY-SA-3.0",
    ),
    "brainparty-data": Package(
        "0.61+dfsg-7",
        "fc01026824b6274eff222c9163ba134fc90889bd7d688091ffdee8e12cefc4d4",
        "GPL-3+, CC-BY-SA-3.0 by file (debian/copyright)",
    ),
    "bucklespring-data": Package(
        "1.4.0-2",
        "2add9f5583b3afc9c0b528066f4578baff930b74d4a94c8a25d103ef79a444e5",
        "GPL-2+",
    ),
    "cube2-data": Package(
        "1.3-1",
        "73c8781495578c1540c483a2e8351fd1fbc6ab67c71dd7d0928af48097b9ecb7",
        "public domain, CC0, CC-BY or CC-BY-SA by file (debian/copyright)",
    ),
    "etw-data": Package(
        "3.6+svn162-6",
        "d1c79c32f6223332c01eb23ba78531e8d9d663c1f057cd21d8aac708b8de218a",
        "GPL-2+",
    ),
    "lugaru-data": Package(
        "1.2-6",
        "6a25e8d2d7c2d94b7873669d1f52137b2ba56e86ba5c2f08fefeacd65e526023",
        "CC-BY-SA-3.0",
    ),
    "megaglest-data": Package(
        "3.13.0-3",
        "ed4783d9fc78e201a548b266f7c30325eb16cfd58a20bf4597dd6e622f84a07e",
        "CC-BY-SA-3.0",
    ),
    "minetest-data": Package(
        "5.6.1+dfsg+~1.9.0mt8+dfsg-2",
        "91371dd2bd51cfcd4fa60c138667989a47047dfe1a47f7523b9ad1782d397585",
        "CC-BY-SA-3.0, CC-BY-3.0 or CC0 by file (debian/copyright)",
    ),
    "netpanzer-data": Package(
        "0.8.7+ds-4.1",
        "7898229424bea5189986b995c9a0eca4d3923b692f8f1ec8c67b4801e3694aa8",
        "GPL-2+",
    ),
    "openarena-data": Package(
        "0.8.5split-14",
        "fa68862434f02a826b7ef22008f25f406623abf4e37113c1bfab5460065483c8",
        "GPL-2+",
    ),
    "scorched3d-data": Package(
        "44+dfsg-8",
        "b0be0a6d561966a62b1f135e0e6f5681c85f12e34ecad5777cb1af9fbcb7f1da",
        "GPL-2+, CC-BY-SA-3.0 by file (debian/copyright)",
    ),
    "searchandrescue-data": Package(
        "1.3.0-1.1",
        "0036c09a92a90a2ce4ac3dde026bb90cc306cd1964f24749c0229926ff36d1d3",
        "GPL-2",
    ),
    "simutrans-pak64": Package(
        "121.0-1",
        "46c8420e162941e6d87382b43c508b1dbf48015fcd782f0c4425952ba72745cc",
        "Artistic-1.0",
    ),
    "widelands-data": Package(
        "2:1.1-3",
        "0e23d645b15bcfb9e3bcae0de9bc1bdfa75a6ecb36b2e449759d6eb0b4bbd8fb",
        "GPL-2+",
    ),
}
