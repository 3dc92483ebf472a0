# SPDX-License-Identifier: MIT OR Apache-2.0
"""A policy with something of every statement that SELinux's format carries, with and without
multi-level security, and every question about it."""

# Something of every statement that the format carries, and of the ways to write sets.
EVERYTHING = """
class process class file class dir class socket
sid kernel sid security sid unlabeled
common base { read write open }
class process { transition dyntransition fork }
class file inherits base { execute entrypoint ioctl }
class dir inherits base
class socket { bind ioctl }
default_user { file dir } source;
default_role file target;
default_type dir target;
default_range file target low-high;
default_range dir source high;
@MLS@
policycap open_perms;
policycap nnp_nosuid_transition;
attribute domain; attribute things; attribute nobody;
type a_t alias { a_old_t a_older_t }, domain;
type b_t, domain, things; type c_t, domain; type d_t, things; type e_t;
typealias d_t alias d_old_t;
typebounds b_t c_t;
permissive d_t;
bool one true; bool two false; bool three true;
allow domain things:file { read write };
allow { domain -a_t } self:process fork;
allow domain { things self }:dir *;
allow a_t { domain things -b_t }:file ~{ read write };
allow e_t e_t:socket *;
allow nobody things:socket bind;
allow c_t d_t:file read; allow b_t d_t:file { read write };
auditallow domain things:file write;
auditallow a_t d_old_t:file open;
dontaudit domain e_t:file { read open };
dontaudit a_t e_t:file { open execute };
type_transition a_t { d_t e_t }:file d_t;
type_transition domain e_t:process b_t;
type_member a_t d_t:dir e_t;
type_change a_t things:dir e_t;
tunable tuned true; tunable untuned false;
if (tuned) { allow e_t e_t:file read; } else { allow e_t e_t:file write; }
if (untuned || !tuned) { allow e_t e_t:file execute; } else { dontaudit e_t e_t:file write; }
auditdeny c_t e_t:file { read write execute }; auditdeny c_t e_t:file { read open };
attribute spread; expandattribute spread true; expandattribute domain false;
typeattribute a_t spread; typeattribute e_t spread;
allow spread things:dir read; allow a_t spread:dir write; dontaudit spread spread:file open;
type c_t.inner; allow c_t.inner d_t:file read;
neverallow e_t ~{ self a_t }:dir write;
IF ! one { ALLOW a_t d_t:dir read; }
if two xor three { allow a_t d_t:dir write; }
if (one) { allow a_t b_t:file read; dontaudit a_t c_t:dir write; }
else { allow a_t b_t:file write; auditallow a_t b_t:file write; }
if (!(one && two)) { allow a_t c_t:file read; } else { allow domain c_t:file write; }
if (two && one) { allow a_t c_t:file execute; }
if (one) { type_transition a_t c_t:file d_t; type_member a_t c_t:dir e_t; }
else { type_transition a_t c_t:file e_t; }
if (!two) { type_change things self:file a_t; }
type_transition domain d_t:file e_t "resolv.conf"; type_transition b_t { d_t e_t }:dir d_t "x";
type_transition a_t { d_t e_t }:dir e_t "x"; type_transition c_t self:file d_t "x";
if ((one || two) ^ (three == two)) { allow a_t e_t:file write; } else { allow a_t e_t:file read; }
if (one != three) { allow a_t things:file execute; }
neverallowxperm a_t things:file ioctl 0x9000; allowxperm a_t things:file ioctl { 0x8910 0x8920-0x8930 }; allow a_t things:file ioctl;
allowxperm domain { d_t e_t }:file ioctl { 0x5400-0x56ff }; dontauditxperm domain self:socket ioctl ~0x1;
auditallowxperm a_t d_t:file ioctl { 0x5401-0x5500 0x5600-0x57fe }; allow domain self:socket ioctl;
allowxperm { domain -c_t } e_t:socket ioctl { 0x8900-0x8fff { 0x1 0x2-0x3 } };
optional { require { type missing_t; } allow a_t missing_t:file read; }
optional { require { type e_t; } allow e_t d_t:file read; } else { allow e_t b_t:file read; }
attribute_role staff;
role user_r; role admin_r; role guest_r, staff;
roleattribute admin_r staff;
role user_r types { a_t b_t }; role admin_r types domain; role guest_r types e_t;
role staff types d_t;
role guest_r types things;
optional { require { type e_t; } type late_t, things; role guest_r types things; }
optional { require { type e_t; } type later_t, things; }
allow user_r admin_r; allow staff user_r;
role_transition user_r e_t admin_r;
role_transition user_r d_t:dir admin_r;
@USERS@
constrain file { read write } ( u1 == u2 or r1 dom r2 or t1 == { domain e_t } );
constrain { file dir } read ( t1 == things and not ( t2 != { a_t b_t } ) );
constrain process transition ( r1 == r2 or r1 == { user_r admin_r } or u2 == root );
constrain dir write ( source role { user_r admin_r } and target type things or role dom );
CONSTRAIN dir read ( NOT SOURCE TYPE e_t OR TARGET ROLE object_r OR T1 != spread OR SAMEUSER );
validatetrans file ( t3 == domain or u1 != u2 );
@SIDS@
"""
MLS = {
    "@MLS@": "sensitivity s0 alias lowest; sensitivity s1; dominance { s0 s1 }\n"
             "category c0 alias zero; category c1; category c2; category c3;\n"
             "level s0:c0.c1; level s1:c0.c3;\n"
             "mlsconstrain file read ( l1 dom l2 and h1 domby h2 and l1 eq h1 );\n"
             "mlsconstrain dir { read write } ( l1 incomp h2 or h1 dom l2 or l2 eq h2 );\n"
             "mlsvalidatetrans file ( l1 eq l2 or t3 == t1_t );\n".replace("t1_t", "b_t"),
    "@USERS@": "range_transition a_t e_t s1:c0.c3;\n"
               "range_transition domain d_t:file s0 - s1:c0,c2;\n"
               "user root roles { user_r admin_r } level s0 range s0 - s1:c0.c3;\n"
               "user guest roles guest_r level s0:c1 range s0:c1;",
    "@SIDS@": "sid kernel root:admin_r:a_t:s0 - s1:c0.c3\nsid security root:object_r:d_t:s0\n"
              "sid unlabeled root:object_r:e_t:s1:c1,c3",
}
PLAIN = {
    "@MLS@": "",
    "@USERS@": "user root roles { user_r admin_r }; user guest roles guest_r;",
    "@SIDS@": "sid kernel root:admin_r:a_t\nsid security root:object_r:d_t\n"
              "sid unlabeled root:object_r:e_t",
}


def text(mls):
    """The policy with one of MLS and PLAIN in it."""
    whole = EVERYTHING
    for mark, part in mls.items():
        whole = whole.replace(mark, part)
    return whole


def every_question(level):
    contexts = [f"{user}:{role}:{kind}_t{level}" for user, role, kind in
                [("root", "user_r", "a"), ("root", "admin_r", "b"), ("root", "admin_r", "c"),
                 ("guest", "guest_r", "e"), ("guest", "guest_r", "d"), ("root", "object_r", "d"),
                 ("root", "object_r", "e"), ("guest", "object_r", "a")]]
    for verb in ("av", "transition", "member", "change"):
        yield from (f"{verb} {a} {b} {name}" for a in contexts for b in contexts
                    for name in ("process", "file", "dir", "socket"))
    yield from (f"transition {a} {b} {name}" for a in contexts for b in contexts
                for name in ("file resolv.conf", "file x", "dir x", "dir resolv.conf"))
    yield from (f"xperm {a} {b} {name} ioctl {number}" for a in contexts for b in contexts
                for name in ("file", "socket")
                for number in ("0x1", "0x8910", "0x8925", "0x5400", "0x5500", "0x57ff"))
    yield from (f"validatetrans {a} {b} {c} file" for a in contexts for b in contexts
                for c in contexts[:3])
    yield from (f"valid {a}" for a in contexts)
