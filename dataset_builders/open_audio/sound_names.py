"""What the makers of the sounds called them, class by class."""

from __future__ import annotations

SOUND_EVENTS: dict[str, dict[str, str]] = {
    "animal": {
        "tuxpaint": r"animals/(mammals|amphibians|lizards)/.*|.*halloween/blackcat\.ogg",
        "gcompris": r".*(farm_animals/.*/(cat|cow|dog|horse|pig|sheep)|LRBark.*|LRFrogs.*)\.ogg",
        "opensfx": r"Sheep|Cow|Horse|Tropical: Lion.*|Tropical: Monkeys|Tropical (Lion|Monkey).*",
        "wesnoth": r".*/(wolf|horse|tusker|bat)-.*",
    },
    "bird": {
        "tuxpaint": r"animals/birds/.*",
        "gcompris": r".*farm_animals/.*/(chickens|duck|owl)\.ogg",
        "opensfx": r"Tropical:? Bird.*",
        "wesnoth": r".*ambient/birds\d\.ogg",
        "flare": r".*environment/(bird_twitter|forest_owl|raven).*",
        "sonic-pi": r"misc_crow.*",
    },
    "footsteps": {
        "ufoai": r".*footsteps/(?!hitground|splash|water|crouch|stand).*",
        "flare": r".*(steps/|environment/stairs).*",
        "gcompris": r".*icy_walk\.wav",
    },
    "gunshot": {
        "ufoai": r".*(weapons/bullet-|geoscape/combat-gun|weapons/ugv-cannon).*",
        "wesnoth": r".*/(thunderstick|dragonstick).*",
        "naev": r".*/autocannon\.ogg",
    },
    "explosion": {
        "ufoai": r".*(weapons/explosion|combat-explosion|combat-rocket-exp).*",
        "naev": r".*/(\w*exp\d?|explosion\d|empexplode)\.(ogg|wav)",
        "opensfx": r"Explosion",
        "wesnoth": r".*/explosion\.ogg",
        "lincity": r"RocketExplosion.*",
        "tuxpaint": r".*newyears/fireworks\.ogg",
    },
    "laser": {
        "ufoai": r".*(weapons/(laser|plasma|ptl|ugv-laser)(?!-blade)|combat-air(laser|plasma)).*",
        "naev": r".*/(laser|plasma|ion|neutron|beam0|ripper)\.(wav|ogg)",
        "fillets": r".*/laser\.ogg",
    },
    "blade or club": {
        "wesnoth": r".*/(axe|club|flail|fist|knife|mace|spear|staff|sword|throwing-knife)\b.*",
        "flare": r".*(melee_attack|powers/block)\.ogg",
        "ufoai": r".*(weapons/melee|impact/knife|seq/sword).*",
        "gcompris": r".*(pickaxe|metal_hit)\.wav",
    },
    "vehicle": {
        "opensfx": (
            r"(?!toyland|.*breakdown)"
            r".*(bus|truck|train|plane|jet|helicopter|steam engine|engine going|car horn).*"
        ),
        "ufoai": r".*(ugv/diesel|seq/humanflyby).*",
        "lincity": r"(Trafic|RailTrain|RocketTakeoff).*",
        "gcompris": r".*(helicopter|traffic/.*/?car|sounds/train)\.wav|.*LR(Start|Train).*",
        "tuxpaint": r"vehicles/emergency/.*",
        "flare": r".*/minecart\.ogg",
    },
    "water": {
        "ufoai": r".*(ambience/water|alienbase-bubbles|footsteps/(splash|water)|impact/water-).*",
        "flare": r".*/(river_loop|cave_droplets_loop)\.ogg",
        "gcompris": r".*(water|water_fill|drip|bubble)\.wav",
        "fillets": r".*/sp-bubles.*",
        "tuxpaint": r"household/toilet\.ogg",
    },
    "wind or storm": {
        "ufoai": r".*ambience/(arcticwind|thunder).*",
        "flare": r".*(wind_loop|/rain|powers/thunder)\.ogg",
        "opensfx": r"(Heavy )?wind",
        "wesnoth": r".*/lightning.*",
        "tuxpaint": r"naturalforces/lightningbolt\.ogg",
        "gcompris": r".*LRRain.*",
    },
    "fire": {
        "ufoai": r".*(ambience/(fire|smallfire)|weapons/flamer).*",
        "wesnoth": r".*/(campfire|torch|flame-big|melee-fire|fuse).*",
        "flare": r".*(open_fire|powers/(burn|fireball)).*",
        "lincity": r"Fire\d\.wav",
        "gcompris": r".*LRFireballs.*",
    },
    "machine": {
        "lincity": r"(Industry|CoalMine|OreMine|Mill\d|Recycle).*",
        "gcompris": r".*LRFactory.*",
        "opensfx": r".*(mining machinery|sawmill|jackhammer|chainsaw|building bridge).*",
        "ufoai": r".*ambience/(machine1|minepump|alien(power)?machinery|alien-(gen|vent)).*",
        "tuxpaint": r"household/(Washing-machine|vacuum_cleaner|tools/saw|tools/hammer)\.ogg",
        "fillets": r".*/(mot-x-motor|br-x-pracka)\.ogg",
        "flare": r".*/anvil_loop\.ogg",
    },
    "human cry": {
        "ufoai": r".*(civilians|soldiers)/.*",
        "wesnoth": r".*/(human|elf|dwarf|mermaid|mermen)-.*",
        "flare": r".*soundfx/((fe)?male_(die|hit)|powers/warcry)\.ogg",
    },
    "monster": {
        "ufoai": r".*sound/aliens/.*",
        "wesnoth": (r".*/(drake|goblin|gryphon|lich|naga|ogre|orc|skeleton|troll|wose|yeti|zombie)\b.*"),
        "flare": r".*soundfx/enemies/.*",
    },
    "bell or alarm": {
        "freedesktop": r".*/(bell|alarm-clock|phone-incoming|phone-outgoing-busy).*",
        "opensfx": r"Level crossing",
        "gcompris": r".*LR(Buddhist_gong|Ring).*",
        "fillets": r".*/(bat-t-(phone|budik)|steel-x-redalert).*",
        "ufoai": r".*geoscape/basealert\.ogg",
        "sonic-pi": r"(perc_bell|elec_bell|mehackit_phone).*",
    },
    "door": {
        "ufoai": r".*sound/doors/.*",
        "gcompris": r".*(door_(open|close)\.wav|LRDoor.*)",
        "flare": r".*/(door_open|wood_open|stone_open)\.ogg",
        "fillets": r".*/k1-x-vrz\.ogg",
        "sonic-pi": r"perc_door.*",
    },
    "breaking": {
        "ufoai": r".*misc/break(glass|metal|wood).*",
        "opensfx": r"Crash|Big crash|.*crashing tree",
        "lincity": r"Raze.*",
        "gcompris": r".*(crash\.wav|LRObject_falling.*)",
        "flare": r".*/falling_rocks\.ogg",
        "wesnoth": r".*/cave-in\.ogg",
    },
}
"""Class to, for each package's short name, a pattern of whole member names (any case)."""
