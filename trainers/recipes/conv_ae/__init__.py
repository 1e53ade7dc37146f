"""The autoencoders of abnormal_sound_detect."""
