"""What scores a device: the model interface, and which model is assigned to which device."""
