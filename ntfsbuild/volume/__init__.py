"""NTFS volumes: read one that is there (`volume.Volume`), or make a new one (`new_volume.NewVolume`)."""
