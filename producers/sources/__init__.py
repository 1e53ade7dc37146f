"""Sources of sound: files, sensors, microphones, synthetic machines."""
