"""Where sound comes from: files, sensors, tables, microphones, raw PCM, synthetic machines."""
