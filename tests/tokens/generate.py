"""Makes python.json: tokens whose claims are wrong in one way, beside a right twin.

PyJWT signs and jwcrypto encrypts; both take the payload as bytes, so it can say anything.
"""

import json
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwcrypto import jwe, jwk
from jwt.api_jws import PyJWS
from jwt.utils import base64url_encode

HERE = Path(__file__).parent
SHARED = json.loads((HERE / "keys.json").read_text())
NOW, AUDIENCE, KEYS = SHARED["now"], SHARED["audience"], SHARED["keys"]
ORDER = ["hs", "gcm", "ed", "cbc", "hs-id", "gcm-id", "ed-id", "cbc-id"]


def token(name: str, payload: bytes) -> str:
    key = KEYS[name]
    secret = bytes.fromhex(key["hex"])
    kid = {"kid": key["kid"]} if "kid" in key else {}
    if "enc" in key:
        header = {"alg": "dir", "enc": key["enc"], **kid}
        made = jwe.JWE(payload, protected=json.dumps(header))
        made.add_recipient(jwk.JWK(kty="oct", k=base64url_encode(secret).decode()))
        return made.serialize(compact=True)
    if key["alg"] == "EdDSA":
        secret = Ed25519PrivateKey.from_private_bytes(secret)
    return PyJWS().encode(payload, secret, algorithm=key["alg"], headers=kid)


CLAIMS = {
    "sub": "ada",
    "aud": AUDIENCE,
    "iat": NOW - 60,
    "exp": NOW + 3600,
    "jti": "b3e7c1d0-5f60",
    "role": "editor",
}


class Text(str):
    """JSON that stands in the payload as it is."""


def write(claims: dict) -> bytes:
    members = (
        f"{json.dumps(name)}:{value if isinstance(value, Text) else json.dumps(value)}"
        for name, value in claims.items()
    )
    return ("{" + ",".join(members) + "}").encode()


def having(**changed) -> bytes:
    return write({**CLAIMS, **changed})


def without(name: str) -> bytes:
    return write({key: value for key, value in CLAIMS.items() if key != name})


def behind(more: str) -> bytes:
    return write(CLAIMS)[:-1] + b"," + more.encode() + b"}"


def filled(length: int) -> bytes:
    empty = having(note="")
    return having(note="x" * (length - len(empty)))


BAD = [
    ("exp missing", without("exp"), "claims", "a token ends"),
    ("exp as text", having(exp="999"), "claims", "an instant is a number"),
    ("exp as text of digits in the future", having(exp=str(NOW + 60)), "claims", "an instant is a number"),
    ("exp null", having(exp=None), "claims", "null is no absent claim"),
    ("exp 1e999", having(exp=Text("1e999")), "claims", "no number that there is"),
    ("exp NaN", having(exp=Text("NaN")), "claims", "not JSON"),
    ("exp Infinity", having(exp=Text("Infinity")), "claims", "not JSON"),
    ("exp with a fraction", having(exp=NOW + 60.5), "claims", "whole seconds"),
    ("exp with a fraction of zero", having(exp=Text(f"{NOW + 60}.0")), "claims", "whole seconds"),
    ("exp with an exponent", having(exp=Text("1.9e9")), "claims", "whole seconds"),
    ("exp true", having(exp=True), "claims", "an instant is a number"),
    ("exp a list", having(exp=[NOW + 60]), "claims", "an instant is a number"),
    ("exp an object", having(exp={}), "claims", "an instant is a number"),
    ("exp negative", having(exp=-1), "claims", "before 1970"),
    ("exp after the year 9999", having(exp=253402300800), "claims", "no instant that the library has"),
    ("exp of 64 bits", having(exp=2**63 - 1), "claims", "no instant that the library has"),
    ("exp beyond 64 bits", having(exp=2**64 + NOW + 60), "claims", "no number that fits"),
    ("exp with a zero before", having(exp=Text(f"0{NOW + 60}")), "claims", "not JSON"),
    ("exp with a plus", having(exp=Text(f"+{NOW + 60}")), "claims", "not JSON"),
    ("exp in hexadecimal", having(exp=Text(hex(NOW + 60))), "claims", "not JSON"),
    ("exp twice", behind(f'"exp":{NOW + 9}'), "claims", "a claim stands there twice"),
    ("exp twice, once escaped", behind(f'"\\u0065xp":{NOW + 9}'), "claims", "a claim stands there twice"),
    ("exp now", having(exp=NOW), "expired", "good until the second before"),
    ("exp a second ago", having(exp=NOW - 1), "expired", "over"),
    ("iat missing", without("iat"), "claims", "a token says when it was made"),
    ("iat as text", having(iat=str(NOW - 60)), "claims", "an instant is a number"),
    ("iat null", having(iat=None), "claims", "null is no absent claim"),
    ("iat with a fraction", having(iat=NOW - 0.5), "claims", "whole seconds"),
    ("iat negative", having(iat=-1), "claims", "before 1970"),
    ("iat 61 seconds ahead", having(iat=NOW + 61), "not_yet", "clocks differ by a minute at most"),
    ("iat twice", behind(f'"iat":{NOW}'), "claims", "a claim stands there twice"),
    ("iat at exp", having(iat=NOW + 30, exp=NOW + 30), "claims", "ends before it begins"),
    ("nbf a second ahead", having(nbf=NOW + 1), "not_yet", "honoured to the second"),
    ("nbf as text", having(nbf="0"), "claims", "an instant is a number"),
    ("nbf null", having(nbf=None), "claims", "null is no absent claim"),
    ("nbf with a fraction", having(nbf=0.5), "claims", "whole seconds"),
    ("nbf false", having(nbf=False), "claims", "an instant is a number"),
    ("nbf twice", behind('"nbf":1,"nbf":1'), "claims", "a claim stands there twice"),
    ("aud missing", without("aud"), "claims", "a token says what it is for"),
    ("aud of another", having(aud="other"), "audience", "for another purpose"),
    ("aud in capitals", having(aud=AUDIENCE.upper()), "audience", "compared byte by byte"),
    ("aud with a space behind", having(aud=AUDIENCE + " "), "audience", "compared byte by byte"),
    ("aud with a NUL behind", having(aud=AUDIENCE + "\0"), "audience", "compared byte by byte"),
    ("aud longer", having(aud=AUDIENCE + "/v2"), "audience", "compared whole"),
    ("aud shorter", having(aud=AUDIENCE[:-1]), "audience", "compared whole"),
    ("aud empty", having(aud=""), "audience", "for no purpose"),
    ("aud null", having(aud=None), "claims", "null is no absent claim"),
    ("aud a list of a number", having(aud=[1]), "claims", "an audience is text"),
    ("aud a list with ours", having(aud=[AUDIENCE]), "claims", "one purpose, so one text"),
    ("aud a list with ours and another", having(aud=[AUDIENCE, "other"]), "claims", "one purpose, so one text"),
    ("aud an empty list", having(aud=[]), "claims", "an audience is text"),
    ("aud true", having(aud=True), "claims", "an audience is text"),
    ("aud twice", behind('"aud":"other"'), "claims", "a claim stands there twice"),
    ("sub missing", without("sub"), "claims", "a token is about somebody"),
    ("sub null", having(sub=None), "claims", "null is no absent claim"),
    ("sub a number", having(sub=1), "claims", "a subject is text"),
    ("sub a list", having(sub=["ada"]), "claims", "a subject is text"),
    ("sub empty", having(sub=""), "claims", "a token is about somebody"),
    ("sub of 257 bytes", having(sub="a" * 257), "claims", "longer than a subject may be"),
    ("sub twice", behind('"sub":"eve"'), "claims", "a claim stands there twice"),
    ("sub half a surrogate pair", having(sub=Text('"\\ud800"')), "claims", "not text"),
    ("jti missing", without("jti"), "claims", "a token can be revoked by its id"),
    ("jti null", having(jti=None), "claims", "null is no absent claim"),
    ("jti a number", having(jti=7), "claims", "an id is text"),
    ("jti empty", having(jti=""), "claims", "a token can be revoked by its id"),
    ("jti of 257 bytes", having(jti="a" * 257), "claims", "longer than an id may be"),
    ("jti twice", behind('"jti":"other"'), "claims", "a claim stands there twice"),
    ("auth_time as text", having(auth_time="1"), "claims", "an instant is a number"),
    ("auth_time null", having(auth_time=None), "claims", "null is no absent claim"),
    ("auth_time 61 seconds ahead", having(auth_time=NOW + 61), "not_yet", "clocks differ by a minute at most"),
    ("auth_time twice", behind('"auth_time":1,"auth_time":1'), "claims", "a claim stands there twice"),
    ("acr a number", having(acr=2), "claims", "a class is text"),
    ("acr null", having(acr=None), "claims", "null is no absent claim"),
    ("acr empty", having(acr=""), "claims", "a class says something"),
    ("acr a list", having(acr=["2"]), "claims", "a class is text"),
    ("iss a number", having(iss=1), "claims", "an issuer is text"),
    ("iss a list", having(iss=["a"]), "claims", "an issuer is text"),
    ("iss true", having(iss=True), "claims", "an issuer is text"),
    ("a claim null", having(role=None), "claims", "no value"),
    ("a claim with a fraction", having(seats=1.5), "claims", "numbers are whole"),
    ("a claim with an object", having(role={"name": "editor"}), "claims", "claims are flat"),
    ("a claim with a list of numbers", having(teams=[1, 2]), "claims", "lists are of text"),
    ("a claim with a list in a list", having(teams=[["a"]]), "claims", "lists are of text"),
    ("a claim with null in a list", having(teams=["a", None]), "claims", "lists are of text"),
    ("a claim with 2^53", having(seats=2**53), "claims", "others would round it"),
    ("a claim with -2^53", having(seats=-(2**53)), "claims", "others would round it"),
    ("a claim twice", behind('"role":"admin"'), "claims", "a claim stands there twice"),
    ("a claim twice, once escaped", behind('"r\\u006fle":"admin"'), "claims", "a claim stands there twice"),
    ("17 claims", having(**{f"c{n}": n for n in range(16)}), "claims", "16 at most"),
    ("a name of 65 bytes", having(**{"n" * 65: 1}), "claims", "longer than a name may be"),
    ("a name that is empty", having(**{"": 1}), "claims", "a name says something"),
    ("a name with a line break", having(**{"a\nb": 1}), "claims", "no control characters"),
    ("1025 bytes", filled(1025), "too_long", "1024 at most"),
    ("nothing", b" ", "claims", "no JSON"),
    ("an empty object", b"{}", "claims", "no claims"),
    ("a list", b"[" + write(CLAIMS) + b"]", "claims", "claims are an object"),
    ("a text", json.dumps(write(CLAIMS).decode()).encode(), "claims", "claims are an object"),
    ("null", b"null", "claims", "claims are an object"),
    ("data behind the object", write(CLAIMS) + b"{}", "claims", "one object and no more"),
    ("a NUL behind the object", write(CLAIMS) + b"\0", "claims", "one object and no more"),
    ("a comma at the end", write(CLAIMS)[:-1] + b",}", "claims", "not JSON"),
    ("a brace missing", write(CLAIMS)[:-1], "claims", "not JSON"),
    ("single quotes", write(CLAIMS).replace(b'"', b"'"), "claims", "not JSON"),
    ("a comment", write(CLAIMS)[:-1] + b"/**/}", "claims", "not JSON"),
    ("a byte order mark", b"\xef\xbb\xbf" + write(CLAIMS), "claims", "not JSON"),
    ("UTF-16", write(CLAIMS).decode().encode("utf-16-le"), "claims", "not UTF-8"),
    ("not UTF-8", write(CLAIMS).replace(b"editor", b"\xff\xfe"), "claims", "not UTF-8"),
    ("overlong UTF-8", write(CLAIMS).replace(b"editor", b"\xc0\xaf"), "claims", "not UTF-8"),
    ("500 lists in each other", having(role=Text("[" * 250 + "]" * 250)), "claims", "claims are flat"),
]

GOOD = [
    ("twin", write(CLAIMS)),
    ("the last second before exp", having(exp=NOW + 1)),
    ("the first second of nbf", having(nbf=NOW)),
    ("iat a minute ahead", having(iat=NOW + 60)),
    ("auth_time a minute ahead", having(auth_time=NOW + 60)),
    ("exp at the end of the year 9999", having(exp=253402300799)),
    ("sub of 256 bytes", having(sub="a" * 256)),
    ("sub not ASCII", having(sub="Ünal ☂")),
    ("jti of 256 bytes", having(jti="a" * 256)),
    ("16 claims", having(**{f"c{n}": n for n in range(15)})),
    ("a name of 64 bytes", having(**{"n" * 64: 1})),
    ("integers as great as may be", having(most=2**53 - 1, least=-(2**53 - 1))),
    ("an empty list", having(teams=[])),
    ("iss", having(iss="https://id.example")),
    ("1024 bytes", filled(1024)),
    ("another order", write(dict(reversed(CLAIMS.items())))),
    ("white space", json.dumps(CLAIMS, indent=4).encode()),
    ("escapes in names and values", write(CLAIMS).replace(b'"exp"', b'"\\u0065xp"').replace(b'"api"', b'"\\u0061pi"')),
]

good = [
    {"name": f"{name} {key}", "key": key, "token": token(key, payload)}
    for name, payload in GOOD
    for key in (ORDER if name == "twin" else ORDER[:4])
]
bad = [
    {
        "name": f"claims {key}: {name}",
        "key": key,
        "token": token(key, payload),
        "refusal": refusal,
        "why": why,
        "twin": f"twin {key}",
    }
    for index, (name, payload, refusal, why) in enumerate(BAD)
    for key in [ORDER[index % len(ORDER)]]
]
made_by = ", ".join(f"{name} {version(name)}" for name in ["PyJWT", "jwcrypto", "cryptography"])
text = json.dumps({"made_by": made_by, "good": good, "bad": bad}, indent=1)
(HERE / "python.json").write_text(text + "\n")
print(f"{len(good)} good, {len(bad)} bad")
