"""Built-in security descriptors for manifests, by name.  specs/ondisk/security.md"""

from __future__ import annotations

_ADMINISTRATORS_OWN = "O:BAG:BA"
_INSTALLER = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"  # NT SERVICE\\TrustedInstaller
_ALL_RESTRICTED_PACKAGES = "S-1-15-2-2"

# What Windows puts on its own folders: the installer writes, all others read.
_WINDOWS_FOLDER = (
    f"O:{_INSTALLER}G:{_INSTALLER}D:PAI"
    "(A;OICIIO;GA;;;CO)"
    "(A;OICIIO;GA;;;SY)(A;;0x1301bf;;;SY)"
    "(A;OICIIO;GA;;;BA)(A;;0x1301bf;;;BA)"
    "(A;OICIIO;GXGR;;;BU)(A;;0x1200a9;;;BU)"
    f"(A;CIIO;GA;;;{_INSTALLER})(A;;FA;;;{_INSTALLER})"
    "(A;;0x1200a9;;;AC)(A;OICIIO;GXGR;;;AC)"
    f"(A;;0x1200a9;;;{_ALL_RESTRICTED_PACKAGES})(A;OICIIO;GXGR;;;{_ALL_RESTRICTED_PACKAGES})"
)

# Lists without P and AI are stored as they stand here; those with P block inheritance.
TEMPLATES: dict[str, str] = {
    # No DACL: everybody may do everything, also change the owner.
    "none": f"{_ADMINISTRATORS_OWN}D:NO_ACCESS_CONTROL",
    # What Windows gives the root of a removable disk, and ntfsbuild every root.
    "everyone_full": f"{_ADMINISTRATORS_OWN}D:(A;OICI;FA;;;WD)",
    "administrators_only": f"{_ADMINISTRATORS_OWN}D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)",
    # Everybody reads and runs, Administrators and SYSTEM write.
    "read_only": f"{_ADMINISTRATORS_OWN}D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;WD)",
    # What Windows gives the root of a fixed disk.
    "windows_root": (
        f"{_ADMINISTRATORS_OWN}D:(A;;FA;;;BA)(A;OICIIO;GA;;;BA)(A;;FA;;;SY)(A;OICIIO;GA;;;SY)"
        "(A;;0x1301bf;;;AU)(A;OICIIO;SDGXGWGR;;;AU)(A;;0x1200a9;;;BU)(A;OICIIO;GXGR;;;BU)"
    ),
    "windows_system": _WINDOWS_FOLDER,  # \\Windows
    "program_files": _WINDOWS_FOLDER,
    # The folder of a user, here the Administrator of the domain.
    "user_profile": "O:LAG:LAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;LA)",
    # A folder for many: all may make files, each may change those of his own.
    "drop_box": (
        f"{_ADMINISTRATORS_OWN}D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;CI;0x1201af;;;BU)(A;OICIIO;GA;;;CO)"
    ),
    # What programs of low integrity may write to.
    "low_integrity": f"{_ADMINISTRATORS_OWN}D:(A;OICI;FA;;;WD)S:(ML;OICI;NW;;;LW)",
}
